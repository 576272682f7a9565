import { closeSync } from 'node:fs'
import koffi from 'koffi'
import { TwinlaneError } from '../../../base/errors.ts'

/** A system call failed. `errno` is the kernel's number. */
export class SyscallError extends TwinlaneError {
  readonly errno: number

  constructor(what: string, errno: number) {
    super(`${what}: ${libc().strerror(errno)}`)
    this.errno = errno
  }
}

const detach = 2 // MNT_DETACH
const closeOnExec = 0o2000000 // O_CLOEXEC
const setWindowSize = 0x5414n // TIOCSWINSZ

interface LibC {
  mount(source: string, target: string, type: string, flags: bigint, data: string): number
  umount2(target: string, flags: number): number
  openpty(master: number[], slave: number[], name: null, termios: null, size: Buffer): number
  pipe2(ends: Int32Array, flags: number): number
  socket(domain: number, type: number, protocol: number): number
  connect(fd: number, address: Buffer, length: number): number
  shutdown(fd: number, how: number): number
  ioctl(fd: number, request: bigint, argument: Buffer): number
  strerror(errno: number): string
}

let loaded: LibC | undefined

function libc(): LibC {
  loaded ??= loadLibC()
  return loaded
}

function loadLibC(): LibC {
  const library = koffi.load('libc.so.6')
  return {
    mount: library.func('int mount(const char*, const char*, const char*, unsigned long, const char*)'),
    umount2: library.func('int umount2(const char*, int)'),
    openpty: library.func('int openpty(_Out_ int*, _Out_ int*, void*, void*, void*)'),
    pipe2: library.func('int pipe2(_Out_ int*, int)'),
    socket: library.func('int socket(int, int, int)'),
    connect: library.func('int connect(int, void*, unsigned int)'),
    shutdown: library.func('int shutdown(int, int)'),
    ioctl: library.func('int ioctl(int, unsigned long, void*)'),
    strerror: library.func('const char* strerror(int)'),
  }
}

function check(what: string, result: number): void {
  if (result < 0) throw new SyscallError(what, koffi.errno())
}

/** mount(2) in the process' own mount namespace. Takes well under a millisecond, where mount(8) takes four. */
export function mount(options: { type: string; source: string; target: string; data?: string }): void {
  const { type, source, target, data = '' } = options
  check(`mount ${type} on ${target}`, libc().mount(source, target, type, 0n, data))
}

/** Takes a mount away even when it is in use; one that is not there is success. */
export function unmount(target: string): void {
  const [invalid, noEntry] = [22, 2]
  if (libc().umount2(target, detach) === 0) return
  const errno = koffi.errno()
  if (errno !== invalid && errno !== noEntry) throw new SyscallError(`unmount ${target}`, errno)
}

/** A true pipe, closed on exec. Node's own 'pipe' is a socket pair, which a process cannot reopen as /dev/stdout. */
export function openPipe(): { readFd: number; writeFd: number } {
  const ends = new Int32Array(2)
  check('pipe', libc().pipe2(ends, closeOnExec))
  return { readFd: ends[0] ?? -1, writeFd: ends[1] ?? -1 }
}

export interface TerminalSize {
  columns: number
  rows: number
}

/** A new pseudo-terminal. */
export function openPty(size: TerminalSize): { masterFd: number; slaveFd: number } {
  const [master, slave] = [[0], [0]]
  check('openpty', libc().openpty(master, slave, null, null, encodeSize(size)))
  return { masterFd: master[0] ?? -1, slaveFd: slave[0] ?? -1 }
}

/** Sets the size of a terminal; its foreground process gets SIGWINCH. */
export function resizePty(masterFd: number, size: TerminalSize): void {
  check('resize terminal', libc().ioctl(masterFd, setWindowSize, encodeSize(size)))
}

/** Connects to a unix socket of type SOCK_SEQPACKET, which Node has no word for. At most 107 bytes of path. */
export function connectPacketSocket(path: string): number {
  const [unix, seqpacket] = [1, 5]
  const fd = libc().socket(unix, seqpacket | closeOnExec, 0)
  check('socket', fd)
  const address = Buffer.alloc(110)
  address.writeUInt16LE(unix, 0)
  address.write(path, 2)
  const result = libc().connect(fd, address, address.length)
  if (result < 0) {
    const error = new SyscallError(`connect to ${path}`, koffi.errno())
    closeSync(fd)
    throw error
  }
  return fd
}

/** Ends both directions, so that a read that waits on the socket returns. */
export function shutdownSocket(fd: number): void {
  libc().shutdown(fd, 2)
}

/** struct winsize: rows, columns, and two pixel counts that nobody uses. */
function encodeSize(size: TerminalSize): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(size.rows, 0)
  bytes.writeUInt16LE(size.columns, 2)
  return bytes
}
