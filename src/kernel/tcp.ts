import { closeSync } from 'node:fs'
import { familyOf } from '../base/ip.ts'
import { CLOEXEC, check, lastErrno, libc, NONBLOCK } from './libc.ts'
import { familyNumber, ipBytes } from './netlink/address.ts'
import { AF_INET6 } from './netlink/constants.ts'

const SOCK_STREAM = 1
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const BACKLOG = 511
const EINPROGRESS = 115
const SOCKADDR_IN_BYTES = 16
const SOCKADDR_IN6_BYTES = 28

/** A listening TCP socket in the thread's namespace; the descriptor is good for `net.Server.listen({ fd })`. */
export function listenTcp(address: string, port: number): number {
  const what = `listen on ${address} port ${port}`
  return openSocket(what, address, port, (fd, sockaddr) => {
    const on = Buffer.from([1, 0, 0, 0])
    check(what, libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, on.length))
    check(what, libc().bind(fd, sockaddr, sockaddr.length))
    check(what, libc().listen(fd, BACKLOG))
  })
}

/**
 * A TCP socket in the thread's namespace that is connecting: the descriptor is good for `new net.Socket({ fd })`, which
 * sends when the connection is there, and has an error event when it does not come about.
 */
export function connectTcp(address: string, port: number): number {
  const what = `connect to ${address} port ${port}`
  return openSocket(what, address, port, (fd, sockaddr) => {
    if (libc().connect(fd, sockaddr, sockaddr.length) < 0 && lastErrno() !== EINPROGRESS) check(what, -1)
  })
}

function openSocket(
  what: string,
  address: string,
  port: number,
  prepare: (fd: number, sockaddr: Buffer) => void,
): number {
  const sockaddr = encodeSockaddr(address, port)
  const fd = check(what, libc().socket(sockaddr.readUInt16LE(0), SOCK_STREAM | CLOEXEC | NONBLOCK, 0))
  try {
    prepare(fd, sockaddr)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function encodeSockaddr(address: string, port: number): Buffer {
  const family = familyNumber(familyOf(address))
  const isV6 = family === AF_INET6
  const sockaddr = Buffer.alloc(isV6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES)
  sockaddr.writeUInt16LE(family, 0)
  sockaddr.writeUInt16BE(port, 2)
  ipBytes(address).copy(sockaddr, isV6 ? 8 : 4)
  return sockaddr
}
