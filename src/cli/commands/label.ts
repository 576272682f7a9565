import type { Command } from 'commander'
import { registerMetadataEdit } from '../edit-metadata.ts'
import type { CliIo } from '../io.ts'

export function registerLabel(program: Command, io: CliIo): void {
  registerMetadataEdit(program, io, {
    field: 'labels',
    verb: 'label',
    done: 'labeled',
    undone: 'unlabeled',
    example: 'node master01 route-reflector=true',
  })
}
