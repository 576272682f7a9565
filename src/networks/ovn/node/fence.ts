import type { Kernel } from '../../../kernel/kernel.ts'
import { fenceTable } from './numbers.ts'

/**
 * The userspace datapath reads a packet beside the host's stack, which would answer it a second time. Dropping at
 * ingress keeps the host off; the datapath has its copy by then.
 */
export function closeFence(kernel: Kernel, device: string): Promise<void> {
  const chain = `${fenceTable} ${chainOf(device)}`
  const hook = `type filter hook ingress device "${device}" priority -500; policy drop;`
  return kernel.nft(undefined, `add table ${fenceTable}\nadd chain ${chain} { ${hook} }`)
}

export function openFence(kernel: Kernel, device: string): Promise<void> {
  const chain = `${fenceTable} ${chainOf(device)}`
  return kernel.nft(undefined, [`add table ${fenceTable}`, `add chain ${chain}`, `delete chain ${chain}`].join('\n'))
}

function chainOf(device: string): string {
  return `on-${Buffer.from(device).toString('hex')}`
}
