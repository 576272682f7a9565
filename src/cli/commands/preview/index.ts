import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerPreviewPod } from './pod.ts'

export function registerPreview(program: Command, io: CliIo): void {
  const preview = program.command('preview').description("What will be, before it is there: a pod's network.")
  registerPreviewPod(preview, io)
}
