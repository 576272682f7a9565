import type { LabConfig } from './config.ts'
import type { ProcessId } from './node/process-id.ts'
import type { ProcessStatus } from './supervised-process.ts'

export type LabPhase = 'starting' | 'ready' | 'failed' | 'stopping'

/** One thing that happens while a lab starts or stops. */
export interface StepStatus {
  readonly what: string
  readonly state: 'running' | 'done' | 'failed'
  /** What it waits for just now. */
  readonly waitingFor?: string
  readonly startedAt: number
  readonly endedAt?: number
}

export interface NodeStatus {
  readonly name: string
  readonly init: ProcessId
  /** By interface. */
  readonly addresses: Readonly<Record<string, string>>
  /** The Node's Ready condition. */
  readonly isReady: boolean
}

/** Everything that the supervisor tells: what `lab status -o json` prints and what `lab up` waits on. */
export interface LabStatus {
  readonly name: string
  readonly phase: LabPhase
  readonly supervisor: ProcessId
  readonly config: LabConfig
  readonly stateFolder: string
  readonly kubeconfig: string
  /** e.g. [https://127.0.0.1:34567, https://192.168.122.10:6443]; empty until the API server is up. */
  readonly api: readonly string[]
  readonly nodes: readonly NodeStatus[]
  /** First process of the fabric's namespaces. */
  readonly fabric?: ProcessId
  readonly processes: readonly ProcessStatus[]
  readonly steps: readonly StepStatus[]
  readonly error?: { readonly message: string; readonly fix?: string }
}
