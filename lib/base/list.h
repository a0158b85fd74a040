/* lib/base/list.h: intrusive doubly linked lists. A list head is a node linked to itself when empty. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))

struct list {
        struct list *next, *prev;
};

#define LIST_INIT(name)          \
        {                        \
                &(name), &(name) \
        }

static inline void list_init(struct list *l)
{
        l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
        return l->next == l;
}

static inline void list_append(struct list *head, struct list *node)
{
        node->prev = head->prev;
        node->next = head;
        head->prev->next = node;
        head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
        list_append(head->next, node);
}

/* The node is left linked to itself, so removing twice is harmless. */
static inline void list_remove(struct list *node)
{
        node->prev->next = node->next;
        node->next->prev = node->prev;
        list_init(node);
}

static inline struct list *list_pop(struct list *head)
{
        struct list *node = head->next;

        if (node == head)
                return NULL;
        list_remove(node);
        return node;
}

#define list_for_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, head)                                                 \
        for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head); \
             pos = pos##_next, pos##_next = pos->next)
