import { readFile } from 'node:fs/promises'
import { ignoreCodes } from '../base/errors.ts'
import { writeFileAtomic } from '../base/file.ts'
import { type ProcessId, signalProcess } from './node/process-id.ts'
import type { StateFolder } from './state-folder.ts'

/** What is written to disk so that a later command can find a dead lab's leftovers. */
export interface LabRecord {
  readonly supervisor: ProcessId
  /** First processes of the nodes and of the fabric. */
  readonly inits: readonly ProcessId[]
}

/** Remembers which processes are the lab's. */
export async function writeRecord(state: StateFolder, record: LabRecord): Promise<void> {
  await writeFileAtomic(state.recordFile, `${JSON.stringify(record)}\n`)
}

/** Kills what a lab whose supervisor is gone has left, told from later processes by their start time. */
export async function killLeftovers(state: StateFolder): Promise<void> {
  const record = await findRecord(state)
  for (const init of record?.inits ?? []) await signalProcess(init, 'SIGKILL')
}

async function findRecord(state: StateFolder): Promise<LabRecord | undefined> {
  try {
    return JSON.parse(await readFile(state.recordFile, 'utf8')) as LabRecord
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    ignoreCodes(error, 'ENOENT')
    return undefined
  }
}
