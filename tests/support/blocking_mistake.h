#pragma once

#include <semaphore.h>

int blocking_mistake(sem_t *semaphore);
int file_mistake(const char *path);
