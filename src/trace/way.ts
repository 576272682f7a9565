import type { NodeFacts } from './facts.ts'

/** One place on the way, with what was decided there and why. */
export interface Step {
  readonly place: string
  readonly lines: readonly string[]
}

/** A device that the packet passes; the way back should pass the same ones. */
export interface Crossing {
  readonly place: string
  readonly device: string
}

/** Where a way ends. */
export type End =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly device: string }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'outside'; readonly node: string; readonly device: string; readonly gateway: string | undefined }
  | { readonly kind: 'lost'; readonly place: string; readonly why: string }

export interface Way {
  readonly steps: readonly Step[]
  readonly crossings: readonly Crossing[]
  readonly end: End
  /** As the packet is at the end. */
  readonly source: string
  readonly destination: string
  readonly tcpPort: number | undefined
  /** Source NAT that a node does on the way. */
  readonly nat?: { readonly node: string; readonly before: string; readonly after: string } | undefined
}

/** Where a walk begins. */
export interface Outset {
  /** Absent: the kernel chooses. */
  readonly source?: string | undefined
  readonly destination: string
  /** TCP; an echo request without. */
  readonly tcpPort?: number | undefined
  readonly answerTo?: Answered | undefined
}

/** What an answer answers. */
export interface Answered {
  readonly nat: Way['nat']
}

export interface WalkContext {
  readonly nodes: readonly NodeFacts[]
  /** Runs a command on a node, as root; resolves with its output. Throws ExecError. */
  run(node: string, command: readonly string[]): Promise<string>
}
