import type { Command } from 'commander'
import { isAlreadyExists } from '../../kube/errors.ts'
import { addFileFlags, type FileFlags, forEachManifest } from '../each-manifest.ts'
import { type CliIo, note } from '../io.ts'
import { createObject, shownTarget } from '../objects.ts'
import { checkWhole } from '../resource-check.ts'

export function registerCreate(program: Command, io: CliIo): void {
  const command = program
    .command('create')
    .description('Create objects from files. One that is already there is an error.')
    .option('--skip-exists', 'an object that is already there is left as it is, and no error')
    .addHelpText('after', '\nExamples:\n  twinlane create -f pool.yaml')
  addFileFlags(command).action((flags: FileFlags & { skipExists?: boolean }) =>
    forEachManifest(io, flags, {
      done: 'created',
      check: checkWhole,
      async run({ connection, target, object }) {
        try {
          await createObject(connection, target, object)
          return 'created'
        } catch (error) {
          if (flags.skipExists !== true || !isAlreadyExists(error)) throw error
          note(io, `${shownTarget(target)} exists already, skipped`)
          return undefined
        }
      },
    }),
  )
}
