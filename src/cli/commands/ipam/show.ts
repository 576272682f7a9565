import type { Command } from 'commander'
import { isAddress } from '../../../base/ip.ts'
import { holderOf } from '../../../networks/routed/ipam/block.ts'
import { ipamConfigurations } from '../../../networks/routed/resources.ts'
import { renderBoxTable } from '../../box-table.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { type CliIo, print, UsageError } from '../../io.ts'
import { type IpamState, loadIpam, withClient } from './load.ts'
import { buildBorrowed, buildUsage, usageCells } from './usage.ts'

interface ShowFlags extends ConnectionFlags {
  ip?: string
  showBlocks?: boolean
  showBorrowed?: boolean
  showConfiguration?: boolean
}

export function registerIpamShow(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('show'))
    .description('Show how much of each pool is in use, or who has an address.')
    .option('--ip <address>', 'who has this address')
    .option('--show-blocks', 'blocks too')
    .option('--show-borrowed', 'addresses that nodes have borrowed from the blocks of others')
    .option('--show-configuration', 'the settings of the address management')
    .addHelpText('after', '\nExamples:\n  twinlane ipam show --show-blocks\n  twinlane ipam show --ip=10.244.83.250')
    .action((flags: ShowFlags) =>
      withClient(io, flags, async (kube) => {
        if (flags.showConfiguration === true) {
          print(io, renderConfiguration((await kube.find(ipamConfigurations, 'default'))?.spec))
          return
        }
        print(io, render(await loadIpam(kube), flags))
      }),
    )
}

function render(state: IpamState, flags: ShowFlags): string {
  if (flags.ip !== undefined) return renderAddress(state, flags.ip)
  if (flags.showBorrowed === true) return renderBorrowed(state)
  const headings = ['GROUPING', 'CIDR', 'IPS TOTAL', 'IPS IN USE', 'IPS FREE']
  return renderBoxTable(headings, buildUsage(state, { withBlocks: flags.showBlocks === true }).map(usageCells))
}

/** Throws UsageError. */
export function renderAddress({ blocks }: IpamState, address: string): string {
  if (!isAddress(address)) throw new UsageError(`--ip ${address} is not an address`, { fix: 'e.g. --ip=10.244.83.250' })
  const holder = blocks.map((block) => holderOf(block, address)).find((found) => found !== undefined)
  if (holder === undefined) return `IP ${address} is not assigned`
  const attributes = Object.entries(holder.secondary ?? {}).map(([key, value]) => `  ${key}: ${value}`)
  const handle = holder.handle_id == null ? [] : [`Handle: ${holder.handle_id}`]
  return [
    `IP ${address} is in use`,
    ...handle,
    ...(attributes.length === 0 ? [] : ['Attributes:', ...attributes]),
  ].join('\n')
}

function renderBorrowed({ blocks }: IpamState): string {
  const rows = buildBorrowed(blocks).map(({ address, borrower, block, owner, holder }) => [
    address,
    borrower,
    block,
    owner,
    'pod',
    holder,
  ])
  return renderBoxTable(['IP', 'BORROWING-NODE', 'BLOCK', 'BLOCK OWNER', 'TYPE', 'ALLOCATED-TO'], rows)
}

function renderConfiguration(
  spec: { strictAffinity?: boolean; autoAllocateBlocks?: boolean; maxBlocksPerHost?: number } = {},
): string {
  return renderBoxTable(
    ['PROPERTY', 'VALUE'],
    [
      ['StrictAffinity', String(spec.strictAffinity ?? false)],
      ['AutoAllocateBlocks', String(spec.autoAllocateBlocks ?? true)],
      ['MaxBlocksPerHost', String(spec.maxBlocksPerHost ?? 0)],
    ],
  )
}
