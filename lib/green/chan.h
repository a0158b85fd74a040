/*
 * lib/green/chan.h: channels, eventlet's Queue: items of one size handed from green thread to green thread.
 *
 * Capacity 0 hands over directly (send returns when a receiver has taken the item). Items are copied. After
 * green_chan_close() senders fail with ERR_CLOSED; receivers first drain what is buffered, then the same.
 * Timed out and cancelled waits have moved nothing. Hub thread only.
 */
#pragma once

#include "green/green.h"

struct green_chan;

struct green_chan *HUB_ONLY green_chan_new(const char *name, size_t item_size, size_t capacity);
void HUB_ONLY green_chan_free(struct green_chan *c); /* closes first; nobody may be waiting; NULL allowed */
int YIELDS green_chan_send(struct green_chan *c, const void *item, struct deadline by, struct error *err);
int YIELDS green_chan_recv(struct green_chan *c, void *ret_item, struct deadline by, struct error *err);
bool HUB_ONLY green_chan_try_send(struct green_chan *c, const void *item);
bool HUB_ONLY green_chan_try_recv(struct green_chan *c, void *ret_item);
void HUB_ONLY green_chan_close(struct green_chan *c);
size_t HUB_ONLY green_chan_len(const struct green_chan *c);
