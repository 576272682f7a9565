import { closeSync } from 'node:fs'
import { errnoName } from '../errno.ts'
import { KernelError } from '../errors.ts'
import { CLOEXEC, check, lastErrno, libc } from '../libc.ts'
import { ignoreKernelCodes } from '../tolerate.ts'
import {
  NFNLGRP_NFTABLES,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  WATCH_GROUPS,
} from './constants.ts'
import { decodeAck, decodeMessages, encodeMessage, type Message } from './message.ts'
import { batchOf } from './nft-batch.ts'

const AF_NETLINK = 16
const ROUTE_PROTOCOL = 0
export const NETFILTER_PROTOCOL = 12
const SOCK_RAW = 3
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const EINTR = 4
const EAGAIN = 11
const ENOBUFS = 105

/** A dump is never split into larger pieces than 32 KiB; twice that leaves room for one large message. */
const RECEIVE_BYTES = 64 * 1024
const ANSWER_TIMEOUT_S = 10
const DUMP_ATTEMPTS = 20
const WATCH_BUFFER_BYTES = 4 * 1024 * 1024

/** One for all sockets of the thread: nothing stays in it between two calls, which are synchronous. */
const receiveBuffer = Buffer.allocUnsafe(RECEIVE_BYTES)

/** A request: message type, flags besides REQUEST and ACK, and body. */
export interface NetlinkRequest {
  readonly type: number
  readonly flags?: number
  readonly body: Buffer
}

/**
 * An rtnetlink socket. It belongs for ever to the namespace that the thread was in when it was opened. Calls are
 * synchronous, but for `sendElsewhere`: the kernel has queued its answer when send() returns.
 */
export class NetlinkSocket {
  readonly #fd: number
  #sequence = 0

  /** With multicast groups, as the bits of nl_groups, it also hears what they tell; then only to be used with `listen`. */
  constructor({ groups = 0, protocol = ROUTE_PROTOCOL }: { groups?: number; protocol?: number } = {}) {
    this.#fd = openSocket(groups, protocol)
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) setFlag(this.#fd, option)
    setTimeoutOption(this.#fd, ANSWER_TIMEOUT_S)
  }

  /** Sends a change and waits for its acknowledgement. Throws KernelError. */
  change(what: string, request: NetlinkRequest): void {
    this.#exchange(what, { ...request, flags: (request.flags ?? 0) | NLM_F_ACK })
  }

  /** Sends changes to nftables as one transaction and waits for its end. Throws KernelError of the first that is refused. */
  transact(what: string, requests: readonly NetlinkRequest[]): void {
    const last = requests.at(-1)
    if (last === undefined) return
    // The kernel answers what it refuses, and whatever asks for an answer.
    const asking = { ...last, flags: (last.flags ?? 0) | NLM_F_ACK }
    const encoded = batchOf([...requests.slice(0, -1), asking]).map((request) => this.#encode(request))
    const bytes = Buffer.concat(encoded.map((each) => each.bytes))
    check(what, Number(libc().send(this.#fd, bytes, bytes.length, 0)))
    this.#awaitAck(what, encoded.at(-2)?.sequence ?? 0)
  }

  /** Asks for one object; the answer's body. Throws KernelError. */
  get(what: string, request: NetlinkRequest): Buffer {
    const [answer] = this.#exchange(what, { ...request, flags: (request.flags ?? 0) | NLM_F_ACK })
    if (answer === undefined) throw new KernelError(what, 'EPROTO', 'the kernel acknowledged but did not answer')
    return answer.body
  }

  /** Asks for all objects; repeated when they changed meanwhile. Throws KernelError. */
  dump(what: string, request: NetlinkRequest): Buffer[] {
    for (let attempt = 1; ; attempt++) {
      const answers = this.#exchange(what, { ...request, flags: (request.flags ?? 0) | NLM_F_DUMP })
      const isTorn = answers.some((answer) => (answer.flags & NLM_F_DUMP_INTR) !== 0)
      if (!isTorn || attempt === DUMP_ATTEMPTS) return answers.map((answer) => answer.body)
    }
  }

  /** Sends a change from a thread of Node's pool; resolves when the kernel has done it. What came of it, `listen` tells. */
  async sendElsewhere(what: string, request: NetlinkRequest): Promise<void> {
    const { bytes } = this.#encode({ ...request, flags: (request.flags ?? 0) | NLM_F_ACK })
    if ((await libc().sendElsewhere(this.#fd, bytes)) < 0)
      throw new KernelError(what, 'EIO', 'the request was not sent')
  }

  /** Waits for messages: answers and what the groups tell. None when the kernel had to drop some. Throws KernelError. */
  listen(what: string): Message[] {
    try {
      return decodeMessages(this.#receive(what))
    } catch (error) {
      ignoreKernelCodes(error, 'ENOBUFS')
      return []
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #exchange(what: string, request: NetlinkRequest): Message[] {
    const { bytes, sequence } = this.#encode(request)
    check(what, Number(libc().send(this.#fd, bytes, bytes.length, 0)))
    return this.#collect(what, sequence)
  }

  #encode(request: NetlinkRequest): { bytes: Buffer; sequence: number } {
    this.#sequence = (this.#sequence + 1) >>> 0
    const sequence = this.#sequence
    const flags = (request.flags ?? 0) | NLM_F_REQUEST
    return { bytes: encodeMessage({ type: request.type, flags, sequence, body: request.body }), sequence }
  }

  /** Everything up to the message that ends the answer: an acknowledgement, an error, or the end of a dump. */
  #collect(what: string, sequence: number): Message[] {
    const answers: Message[] = []
    for (;;) {
      for (const message of decodeMessages(this.#receive(what))) {
        if (message.sequence !== sequence) continue
        if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) {
          answers.push(message)
          continue
        }
        const { errno, text } = decodeAck(message)
        if (errno !== 0) throw new KernelError(what, errnoName(errno), text)
        return answers
      }
    }
  }

  /** Of the socket's last transaction: an error is that of any of its messages. */
  #awaitAck(what: string, sequence: number): void {
    for (;;) {
      for (const message of decodeMessages(this.#receive(what)).filter(({ type }) => type === NLMSG_ERROR)) {
        const { errno, text } = decodeAck(message)
        if (errno !== 0) throw new KernelError(what, errnoName(errno), text)
        if (message.sequence === sequence) return
      }
    }
  }

  #receive(what: string): Buffer {
    return Buffer.from(receive(what, { fd: this.#fd, buffer: receiveBuffer, flags: 0 }))
  }
}

/** Opens a socket that hears all changes of links, addresses, routes, rules, neighbours and devices' settings. */
export function openWatchSocket(bufferBytes = WATCH_BUFFER_BYTES): number {
  return openListener(ROUTE_PROTOCOL, WATCH_GROUPS, bufferBytes)
}

/** Opens a socket that hears all changes of nftables; returns its descriptor. */
export function openNftWatchSocket(bufferBytes = WATCH_BUFFER_BYTES): number {
  return openListener(NETFILTER_PROTOCOL, 1 << (NFNLGRP_NFTABLES - 1), bufferBytes)
}

function openListener(protocol: number, groups: number, bufferBytes: number): number {
  const fd = openSocket(groups, protocol)
  const size = int32(bufferBytes)
  libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length)
  return fd
}

/** What waits in a watch socket: messages, nothing, or `overrun` when the kernel had to drop some. */
export function receiveWatched(fd: number, buffer: Buffer): Message[] | 'overrun' {
  const length = Number(libc().recv(fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC))
  if (length > buffer.length) return 'overrun'
  if (length >= 0) return decodeMessages(Buffer.from(buffer.subarray(0, length)))
  const errno = lastErrno()
  if (errno === ENOBUFS) return 'overrun'
  if (errno === EAGAIN || errno === EINTR) return []
  throw new KernelError('watch the kernel', errnoName(errno))
}

function receive(what: string, options: { fd: number; buffer: Buffer; flags: number }): Buffer {
  const { fd, buffer } = options
  for (;;) {
    const length = Number(libc().recv(fd, buffer, buffer.length, options.flags | MSG_TRUNC))
    if (length > buffer.length) throw new KernelError(what, 'EMSGSIZE', `an answer of ${length} bytes`)
    if (length >= 0) return buffer.subarray(0, length)
    const errno = lastErrno()
    if (errno !== EINTR) throw new KernelError(what, errnoName(errno), 'no answer from the kernel')
  }
}

function openSocket(groups: number, protocol = ROUTE_PROTOCOL): number {
  const what = 'open a netlink socket'
  const fd = check(what, libc().socket(AF_NETLINK, SOCK_RAW | CLOEXEC, protocol))
  const address = Buffer.alloc(12)
  address.writeUInt16LE(AF_NETLINK, 0)
  address.writeUInt32LE(groups >>> 0, 8)
  try {
    check(what, libc().bind(fd, address, address.length))
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return fd
}

function setFlag(fd: number, option: number): void {
  const on = int32(1)
  libc().setsockopt(fd, SOL_NETLINK, option, on, on.length)
}

function setTimeoutOption(fd: number, seconds: number): void {
  const value = Buffer.alloc(16)
  value.writeBigInt64LE(BigInt(seconds), 0)
  libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, value, value.length)
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32LE(value)
  return buffer
}
