import type { Family } from '../base/ip.ts'
import type {
  Address,
  FdbEntry,
  KernelEvent,
  Link,
  Neighbor,
  Netns,
  NftChange,
  Operation,
  OperationBatch,
  Route,
  Rule,
  WatchFilter,
} from './kernel.ts'
import type { RouteFilter } from './read.ts'

/** What a request worker can be asked; all arguments and results are plain data. */
export interface WorkerCalls {
  apply(netns: Netns, operations: readonly Operation[]): void
  applyEach(batches: readonly OperationBatch[]): void
  removeLinks(names: readonly string[]): Promise<void>
  links(netns: Netns): Link[]
  findLink(netns: Netns, name: string): Link | undefined
  addresses(netns: Netns, device?: string): Address[]
  routes(netns: Netns, filter?: RouteFilter): Route[]
  rules(netns: Netns, family?: Family): Rule[]
  neighbors(netns: Netns, device?: string): Neighbor[]
  fdb(netns: Netns, device: string): FdbEntry[]
  readSysctl(netns: Netns, key: string): string | undefined
  hasChecksumOffload(netns: Netns, device: string): boolean
  nft(netns: Netns, commands: string, isJson: boolean): string
  listenTcp(netns: Netns, address: string, port: number): number
  connectTcp(netns: Netns, address: string, port: number): number
  returnMemory(): void
  openWatch(netns: Netns, options: { bufferBytes?: number | undefined; filter?: WatchFilter | undefined }): WatchSource
  openNftWatch(netns: Netns): WatchSource
}

/** A watch socket, and the names that its namespace's devices had when it was opened. */
export interface WatchSource {
  readonly fd: number
  /** Which of the kernel's subsystems speaks there. */
  readonly subject: 'network' | 'nftables'
  readonly filter?: WatchFilter | undefined
  readonly names: readonly (readonly [index: number, name: string])[]
}

export interface Request<Method extends keyof WorkerCalls = keyof WorkerCalls> {
  readonly id: number
  readonly method: Method
  readonly args: Parameters<WorkerCalls[Method]>
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: PlainError }

/** A KernelError as it crosses threads. */
export interface PlainError {
  readonly what: string
  readonly code: string
  readonly text: string
  readonly fix?: string
}

/** What the watch worker is told. `stop` closes every socket. */
export type WatchCommand =
  | ({ readonly kind: 'add'; readonly id: number } & WatchSource)
  | { readonly kind: 'remove'; readonly id: number }
  | { readonly kind: 'stop' }

/** What the watch worker says. Writing 8 bytes (a 1) to `wakeFd` makes it read its commands at once. */
export type WatchReport =
  | { readonly kind: 'started'; readonly wakeFd: number }
  | { readonly kind: 'events'; readonly id: number; readonly events: readonly (KernelEvent | NftChange)[] }
  | { readonly kind: 'overrun'; readonly id: number }
  | { readonly kind: 'removed'; readonly id: number }

/** Which part a worker thread plays. */
export type WorkerRole = 'requests' | 'watches'
