import { promisify } from 'node:util'
import koffi from 'koffi'
import { errnoName } from './errno.ts'
import { KernelError } from './errors.ts'

/**
 * The C library's calls that Node does not offer. Every call blocks its thread: use this file from worker threads only.
 * Each returns -1 on failure; `check` turns that into a KernelError.
 */
export interface Libc {
  setns(fd: number, kind: number): number
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Buffer, length: number): number
  listen(fd: number, backlog: number): number
  connect(fd: number, address: Buffer, length: number): number
  setsockopt(fd: number, level: number, option: number, value: Buffer, length: number): number
  send(fd: number, buffer: Buffer, length: number, flags: number): number
  /** `send` by a thread of Node's pool, for what keeps the kernel busy for long. Resolves with its result. */
  sendElsewhere(fd: number, bytes: Buffer): Promise<number>
  recv(fd: number, buffer: Buffer, length: number, flags: number): number
  poll(list: Buffer, count: number, timeoutMs: number): number
  ioctl(fd: number, request: number, argument: Buffer): number
  eventfd(initial: number, flags: number): number
  memfd_create(name: string, flags: number): number
  read(fd: number, buffer: Buffer, length: number): number
  /** Returns 1 when memory went back to the system, 0 when there was none to give. */
  malloc_trim(keepBytes: number): number
}

/** SOCK_CLOEXEC and friends share their value with O_CLOEXEC. */
export const CLOEXEC = 0o2000000
export const NONBLOCK = 0o4000

let loaded: Libc | undefined

/** The C library, loaded at the first use. */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

/** Throws KernelError with the current errno when a call failed; otherwise returns its result. */
export function check(what: string, result: number): number {
  if (result >= 0) return result
  throw new KernelError(what, errnoName(koffi.errno()))
}

/** The errno of this thread's last failed call. */
export function lastErrno(): number {
  return koffi.errno()
}

/** A function of a library; `async` runs it in a thread of Node's pool. */
type Declared = ReturnType<ReturnType<typeof koffi.load>['func']>

function load(): Libc {
  const library = koffi.load('libc.so.6')
  const declare = (definition: string): Declared => library.func(definition)
  // The result is ssize_t, which koffi does not have; what we send and receive is far below 2^53.
  const send = declare('int64_t send(int fd, const void *buffer, size_t length, int flags)')
  return {
    setns: declare('int setns(int fd, int kind)'),
    socket: declare('int socket(int domain, int type, int protocol)'),
    bind: declare('int bind(int fd, const void *address, uint32_t length)'),
    listen: declare('int listen(int fd, int backlog)'),
    connect: declare('int connect(int fd, const void *address, uint32_t length)'),
    setsockopt: declare('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    send,
    sendElsewhere: async (fd: number, bytes: Buffer) => Number(await promisify(send.async)(fd, bytes, bytes.length, 0)),
    recv: declare('int64_t recv(int fd, void *buffer, size_t length, int flags)'),
    poll: declare('int poll(void *list, unsigned long count, int timeout)'),
    ioctl: declare('int ioctl(int fd, unsigned long request, void *argument)'),
    eventfd: declare('int eventfd(unsigned int initial, int flags)'),
    memfd_create: declare('int memfd_create(const char *name, unsigned int flags)'),
    read: declare('int64_t read(int fd, void *buffer, size_t length)'),
    malloc_trim: declare('int malloc_trim(size_t keepBytes)'),
  } as Libc
}
