import type { Command } from 'commander'
import { addFileFlags, type FileFlags, forEachManifest } from '../each-manifest.ts'
import type { CliIo } from '../io.ts'
import { replaceObject } from '../objects.ts'
import { checkWhole } from '../resource-check.ts'

export function registerReplace(program: Command, io: CliIo): void {
  const command = program
    .command('replace')
    .description(
      'Replace objects by those in files, as a whole. One that is not there is an error; so is a resourceVersion in the file that is no longer the current one.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane get bgppeer peer-to-rrs -o yaml > peer.yaml\n  twinlane replace -f peer.yaml',
    )
  addFileFlags(command).action((flags: FileFlags) =>
    forEachManifest(io, flags, {
      done: 'replaced',
      check: checkWhole,
      async run({ connection, target, object }) {
        await replaceObject(connection, target, object)
        return 'replaced'
      },
    }),
  )
}
