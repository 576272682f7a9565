import { resolve } from 'node:path'
import type { Command } from 'commander'
import { defaultStateFolder } from '../../../lab/state-folder.ts'
import type { CliIo } from '../../io.ts'

export interface StateFlag {
  state: string
}

export function addStateFlag(command: Command): Command {
  return command.option('--state <dir>', 'folder of the lab', defaultStateFolder)
}

/** Absolute path of the lab's folder. */
export function stateFolderOf(io: Pick<CliIo, 'cwd'>, flags: StateFlag): string {
  return resolve(io.cwd, flags.state)
}
