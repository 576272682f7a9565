import type { Command } from 'commander'
import { addFileFlags, type FileFlags, forEachManifest } from '../each-manifest.ts'
import type { CliIo } from '../io.ts'
import { createObject } from '../objects.ts'
import { checkManifestInCluster } from '../pool-check.ts'

export function registerCreate(program: Command, io: CliIo): void {
  const command = program
    .command('create')
    .description('Create objects from files. One that is already there is an error.')
    .addHelpText('after', '\nExamples:\n  twinlane create -f pool.yaml')
  addFileFlags(command).action((flags: FileFlags) =>
    forEachManifest(io, flags, {
      done: 'created',
      check: checkManifestInCluster,
      async run({ connection, target, object }) {
        await createObject(connection, target, object)
        return 'created'
      },
    }),
  )
}
