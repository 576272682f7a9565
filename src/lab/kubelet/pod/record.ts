import type { NetworkAttachment } from '../network/attach.ts'
import type { SandboxNamespaces } from '../runtime/sandbox.ts'

/**
 * What this node has made for one pod, on disk, so that a restarted kubelet knows it. The record is written before each
 * effect, so nothing exists that no record names.
 */
export interface PodRecord {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly sandbox?: SandboxRecord
  readonly containers: Readonly<Record<string, ContainerHistory>>
}

export interface SandboxRecord {
  /** 64 hexadecimal digits: CNI_CONTAINERID. */
  readonly id: string
  readonly namespaces: SandboxNamespaces
  /** Absent on the node's own network, and before the network was chosen. */
  readonly network?: NetworkAttachment
  /** The sandbox can hold containers. */
  readonly isReady: boolean
  readonly ips: readonly string[]
}

export interface ContainerHistory {
  readonly current: ContainerRecord
  readonly previous?: ContainerRecord
}

export interface ContainerRecord {
  readonly id: string
  /** 0 for the first, counted up with each restart: the restart count. */
  readonly attempt: number
  readonly state: 'created' | 'running' | 'exited'
  readonly createdAtMs: number
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
  readonly exitCode?: number
  readonly reason?: string
  readonly message?: string
  /** Pause that had to pass before this attempt. */
  readonly backoffMs: number
}

export function emptyRecord(pod: { uid: string; namespace: string; name: string }): PodRecord {
  return { ...pod, containers: {} }
}

export function withSandbox(record: PodRecord, sandbox: SandboxRecord | undefined): PodRecord {
  const { sandbox: _, ...rest } = record
  return sandbox === undefined ? rest : { ...rest, sandbox }
}

/** Puts in the next attempt of a container; what was current becomes previous. */
export function withAttempt(record: PodRecord, name: string, container: ContainerRecord): PodRecord {
  const before = record.containers[name]?.current
  const history: ContainerHistory =
    before === undefined ? { current: container } : { current: container, previous: before }
  return { ...record, containers: { ...record.containers, [name]: history } }
}

/** Changes the current attempt, if it is still the one with this id. */
export function withChange(record: PodRecord, id: string, change: Partial<ContainerRecord>): PodRecord {
  const entries = Object.entries(record.containers).map(([name, history]) => {
    const isIt = history.current.id === id
    return [name, isIt ? { ...history, current: { ...history.current, ...change } } : history] as const
  })
  return { ...record, containers: Object.fromEntries(entries) }
}

/** The first process runs; one that has ended meanwhile stays ended. */
export function withStart(record: PodRecord, id: string, startedAtMs: number): PodRecord {
  const current = Object.values(record.containers).find((history) => history.current.id === id)?.current
  return withChange(record, id, current?.state === 'created' ? { state: 'running', startedAtMs } : { startedAtMs })
}

/** All attempts whose files may still be there. */
export function containersOf(record: PodRecord): ContainerRecord[] {
  return Object.values(record.containers).flatMap(({ current, previous }) =>
    previous === undefined ? [current] : [current, previous],
  )
}

export function runningContainers(record: PodRecord): { name: string; container: ContainerRecord }[] {
  return Object.entries(record.containers)
    .filter(([, history]) => history.current.state !== 'exited')
    .map(([name, history]) => ({ name, container: history.current }))
}
