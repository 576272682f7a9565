import type { PodFiles } from './containers.ts'
import type { Waiting } from './status.ts'

/** What is known of a pod only while this process runs; all of it can be found again. */
export interface PodState {
  readonly uid: string
  readonly waiting: Map<string, Waiting>
  /** When this node first reported on the pod. */
  startTime?: string
  /** Shared files, and the sandbox for which they were made. */
  files?: { readonly sandboxId: string; readonly made: PodFiles }
  /** Failed attempts to make a sandbox, and when the next one may be made. */
  sandboxFailures: number
  sandboxRetryAtMs: number
  /** When each container whose image or configuration is missing may be tried again. */
  readonly retryAtMs: Map<string, { untilMs: number; pauseMs: number }>
  /** Ends the sandbox's creation when the pod is deleted meanwhile. */
  creation?: AbortController
  termination?: { deadlineMs: number; readonly signalled: Set<string>; readonly killed: Set<string> }
  /** Containers that a liveness probe ends, and when they are killed. */
  readonly condemned: Map<string, number>
}

export function newPodState(uid: string): PodState {
  return {
    uid,
    waiting: new Map(),
    sandboxFailures: 0,
    sandboxRetryAtMs: 0,
    retryAtMs: new Map(),
    condemned: new Map(),
  }
}
