/*
 * lib/base/file_calls.h: the C library's calls of file systems, said to need a reason on the hub.
 *
 * context.h brings it into our own sources when the compiler is clang: then a call of one of these in a
 * function that may run on the hub does not compile. A function that runs on workers says so (BLOCKS, or
 * assert_on_worker() first in it); one whose files are always there and answer at once (/proc, /sys, /run,
 * what is read before the hub turns) says local_files("why"). Names that have inline definitions in the C
 * library cannot be given a word: tests/unit/patcher/blocking-symbols knows them, too.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>

int FILES open(const char *path, int flags, ...);
int FILES openat(int dir, const char *path, int flags, ...);
int FILES creat(const char *path, mode_t mode);
FILE *FILES fopen(const char *path, const char *mode);
DIR *FILES opendir(const char *path);
int FILES stat(const char *path, struct stat *ret);
int FILES lstat(const char *path, struct stat *ret);
int FILES fstatat(int dir, const char *path, struct stat *ret, int flags);
int FILES statvfs(const char *path, struct statvfs *ret);
int FILES statfs(const char *path, struct statfs *ret);
int FILES access(const char *path, int mode);
int FILES faccessat(int dir, const char *path, int mode, int flags);
int FILES mkdir(const char *path, mode_t mode);
int FILES mkdirat(int dir, const char *path, mode_t mode);
int FILES rmdir(const char *path);
int FILES unlink(const char *path);
int FILES unlinkat(int dir, const char *path, int flags);
int FILES remove(const char *path);
int FILES rename(const char *from, const char *to);
int FILES renameat(int from_dir, const char *from, int to_dir, const char *to);
int FILES link(const char *from, const char *to);
int FILES linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int FILES symlink(const char *to, const char *path);
int FILES chmod(const char *path, mode_t mode);
int FILES fchmod(int fd, mode_t mode);
int FILES chown(const char *path, uid_t uid, gid_t gid);
int FILES fchown(int fd, uid_t uid, gid_t gid);
int FILES lchown(const char *path, uid_t uid, gid_t gid);
int FILES utimensat(int dir, const char *path, const struct timespec *times, int flags);
int FILES futimens(int fd, const struct timespec *times);
int FILES truncate(const char *path, off_t length);
int FILES ftruncate(int fd, off_t length);
int FILES fallocate(int fd, int mode, off_t at, off_t length);
int FILES posix_fallocate(int fd, off_t at, off_t length);
int FILES fsync(int fd);
int FILES fdatasync(int fd);
int FILES syncfs(int fd);
ssize_t FILES copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags);
ssize_t FILES sendfile(int to, int from, off_t *at, size_t len);
ssize_t FILES pwrite(int fd, const void *data, size_t len, off_t at);
int FILES mkstemp(char *template);
int FILES mkostemp(char *template, int flags);
char *FILES mkdtemp(char *template);
int FILES flock(int fd, int operation);
