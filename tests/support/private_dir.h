/*
 * tests/support/private_dir.h: a directory under /tmp that belongs to the test program.
 *
 * Made when the program starts, removed with all that is in it when it ends; not by the forked tests, so it
 * also goes when one of them fails.
 */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char private_dir[32];
static pid_t private_dir_owner;

__attribute__((constructor)) static void private_dir_make(void)
{
        snprintf(private_dir, sizeof(private_dir), "/tmp/agent-test-XXXXXX");
        if (!mkdtemp(private_dir))
                abort();
        private_dir_owner = getpid();
}

static int private_dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
        (void)st, (void)type, (void)at;
        return remove(path);
}

__attribute__((destructor)) static void private_dir_remove(void)
{
        if (getpid() == private_dir_owner)
                nftw(private_dir, private_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
