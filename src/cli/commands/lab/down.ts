import type { Command } from 'commander'
import { labDown } from '../../../lab/down.ts'
import { type CliIo, print } from '../../io.ts'
import { addStateFlag, type StateFlag, stateFolderOf } from './flags.ts'
import { createProgressView } from './progress-view.ts'

export function registerLabDown(lab: Command, io: CliIo): void {
  addStateFlag(lab.command('down'))
    .description('take a lab down, whole or half, and remove everything it made')
    .action((flags: StateFlag) => down(io, flags))
}

async function down(io: CliIo, flags: StateFlag): Promise<void> {
  const folder = stateFolderOf(io, flags)
  const view = createProgressView(io)
  const since = Date.now()
  const onStatus: Parameters<typeof labDown>[0]['onStatus'] = (status) =>
    view.show({ ...status, steps: status.steps.filter((step) => step.startedAt >= since) })
  const wasThere = await labDown({ folder, onStatus }).finally(() => view.close())
  print(io, wasThere ? 'The lab is gone.' : `There is no lab in ${folder}.`)
}
