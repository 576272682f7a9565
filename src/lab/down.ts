import { readdir, realpath, rm, rmdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { withDeadline } from '../base/clock.ts'
import { ignoreCodes } from '../base/errors.ts'
import { connectControl } from './control-socket.ts'
import { removeKubeconfigCopies } from './kubeconfig-file.ts'
import { signalProcess } from './node/process-id.ts'
import { killLeftovers } from './record.ts'
import { type StateFolder, stateFolder } from './state-folder.ts'
import type { LabStatus } from './status.ts'

const stopTimeoutMs = 30_000

/**
 * Takes a lab down, whole or half, and removes what it kept in its folder. Resolves with false when there was none.
 * A supervisor that does not end in time is killed, and its nodes with it.
 */
export async function labDown(options: { folder: string; onStatus?: (status: LabStatus) => void }): Promise<boolean> {
  const folder = await realpath(options.folder).catch((error: unknown) => {
    ignoreCodes(error, 'ENOENT')
    return undefined
  })
  if (folder === undefined) return false
  const state = stateFolder(folder)
  const wasRunning = await stopSupervisor(state, options.onStatus)
  await killLeftovers(state)
  await removeKubeconfigCopies(state)
  const wasThere = await removeState(state)
  return wasRunning || wasThere
}

/** Removes the lab's files, and the folder if nothing else is in it. True if there was any. */
export async function removeState(state: StateFolder, options: { keep?: readonly string[] } = {}): Promise<boolean> {
  const keep = options.keep ?? []
  const before = new Set(await entriesOf(state.folder))
  for (const path of state.entries.filter((each) => !keep.includes(each))) {
    await rm(path, { recursive: true, force: true })
  }
  const after = await entriesOf(state.folder)
  if (keep.length === 0 && after.length === 0) await removeFolders(state.folder)
  return after.length < before.size
}

async function stopSupervisor(state: StateFolder, onStatus: (status: LabStatus) => void = () => {}): Promise<boolean> {
  const statuses = await connectControl(state.controlSocket)
  if (statuses === undefined) return false
  let supervisor: LabStatus['supervisor'] | undefined
  const follow = async (): Promise<void> => {
    for await (const status of statuses) {
      if (supervisor === undefined) await signalProcess(status.supervisor, 'SIGTERM')
      supervisor = status.supervisor
      onStatus(status)
    }
  }
  try {
    await withDeadline(follow(), { what: 'the lab to stop', timeoutMs: stopTimeoutMs })
  } catch {
    if (supervisor !== undefined) await signalProcess(supervisor, 'SIGKILL')
  }
  return true
}

/** The lab's folder, and `.twinlane` above it, when they are empty. */
async function removeFolders(folder: string): Promise<void> {
  const parent = dirname(folder)
  const folders = basename(parent) === '.twinlane' ? [folder, parent] : [folder]
  for (const path of folders) await rmdir(path).catch((error) => ignoreCodes(error, 'ENOENT', 'ENOTEMPTY'))
}

async function entriesOf(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    ignoreCodes(error, 'ENOENT')
    return []
  })
}
