import { TwinlaneError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { bringUp } from './bring-up.ts'
import type { LabConfig } from './config.ts'
import { serveControl } from './control-socket.ts'
import { removeState } from './down.ts'
import { Lab, type LabPrograms } from './lab.ts'
import { findProcess } from './node/process-id.ts'
import { killLeftovers, writeRecord } from './record.ts'
import { type StateFolder, stateFolder } from './state-folder.ts'

/**
 * The process that holds a lab: builds it, answers for it, takes it down when the signal aborts. Resolves with false when the lab could not be built. Throws when the lab's lock is
 * held by another supervisor.
 */
export async function runSupervisor(options: {
  stateFolder: string
  config: LabConfig
  /** Called when the lab's lock is held and its status can be asked for. */
  onListening: () => void
  programs: LabPrograms
  log: Log
  signal: AbortSignal
}): Promise<boolean> {
  const { log, signal } = options
  const state = stateFolder(options.stateFolder)
  const supervisor = await findProcess(process.pid)
  if (supervisor === undefined) throw new TwinlaneError('cannot read /proc')
  const lab = new Lab({ config: options.config, state, programs: options.programs, log, supervisor })
  const control = await serveControl(state.controlSocket, lab)
  if (control === undefined) throw new TwinlaneError(`a lab already runs in ${state.folder}`)
  try {
    options.onListening()
    await clearLeftovers(state)
    await writeRecord(state, { supervisor, inits: [] })
    return await buildAndHold(lab, signal)
  } finally {
    await control.close()
  }
}

/** A lab starts empty: no processes, objects or logs of an earlier one that was killed. Its certificates are used again. */
async function clearLeftovers(state: StateFolder): Promise<void> {
  await killLeftovers(state)
  await removeState(state, { keep: [state.pkiFolder, state.supervisorLog, state.kubeconfigCopies] })
}

async function buildAndHold(lab: Lab, signal: AbortSignal): Promise<boolean> {
  let isBuilt = false
  try {
    await bringUp(lab, signal)
    isBuilt = true
    lab.phase = 'ready'
    await aborted(signal)
    lab.phase = 'stopping'
  } catch (error) {
    lab.log.error({ error }, 'the lab could not be built')
    lab.fail(signal.aborted ? new TwinlaneError('stopped before it was ready') : error)
  }
  await lab.takeDown()
  return isBuilt
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
