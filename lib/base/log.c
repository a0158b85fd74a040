/* lib/base/log.c: the ring and its writer thread. */
#include "base/log.h"
