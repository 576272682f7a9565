import type { Command } from 'commander'
import { addFileFlags, type FileFlags, forEachManifest } from '../each-manifest.ts'
import type { CliIo } from '../io.ts'
import { applyObject } from '../objects.ts'
import { checkApplied } from '../resource-check.ts'

export function registerApply(program: Command, io: CliIo): void {
  const command = program
    .command('apply')
    .description(
      'Make objects as files say: create those that are missing, change those that differ (server-side apply).\n' +
        'A Node of projectcalico.org/v3 changes what BGP knows about a node: its AS number, address and cluster ID, and adds labels. Its resourceVersion and uid are ignored.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane apply -f examples/article\n  twinlane apply -f master01.yaml\n  cat peer.yaml | twinlane apply -f -',
    )
  addFileFlags(command).action((flags: FileFlags) =>
    forEachManifest(io, flags, {
      done: 'applied',
      check: checkApplied,
      run: ({ connection, target, object }) => applyObject(connection, target, object),
    }),
  )
}
