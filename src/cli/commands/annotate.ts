import type { Command } from 'commander'
import { registerMetadataEdit } from '../edit-metadata.ts'
import type { CliIo } from '../io.ts'

export function registerAnnotate(program: Command, io: CliIo): void {
  registerMetadataEdit(program, io, {
    field: 'annotations',
    verb: 'annotate',
    done: 'annotated',
    undone: 'annotated',
    example: 'pod busybox3 owner=me --overwrite',
  })
}
