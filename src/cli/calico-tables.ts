import type { KubeObject, ResourceType } from '../kube/resources/meta.ts'
import {
  type BGPConfiguration,
  type BGPFilter,
  type BGPPeer,
  bgpConfigurations,
  bgpFilters,
  bgpPeers,
  type CalicoNodeStatus,
  calicoNodeStatuses,
  type IPAMConfiguration,
  type IPPool,
  type IPReservation,
  ipamConfigurations,
  ipPools,
  ipReservations,
} from '../networks/routed/resources.ts'
import { defaultAsNumber, shownAsNumber, type VirtualNode } from '../networks/routed/virtual-node.ts'
import { isVirtualNode } from './kinds.ts'

export interface TableFacts {
  /** AS number of nodes without one of their own. */
  readonly clusterAsNumber?: number | undefined
}

/** The columns that calicoctl prints for a kind. */
export interface CalicoTable {
  headings(isWide: boolean): string[]
  row(object: KubeObject, isWide: boolean, facts: TableFacts): string[]
  /** Every column, those of the wide form too, by its heading. */
  cell(object: KubeObject, heading: string, facts: TableFacts): string | undefined
}

/** undefined for kinds that calicoctl does not print: they have the server's table. */
export function findCalicoTable(type: ResourceType): CalicoTable | undefined {
  if (isVirtualNode(type)) return nodeTable
  if (type.group !== ipPools.group) return undefined
  return tables.get(type.kind)
}

interface Column<T> {
  readonly heading: string
  /** Shown in both forms unless it says otherwise. */
  readonly only?: 'wide'
  readonly cell: (object: T, facts: TableFacts) => unknown
}

function tableOf<T extends KubeObject>(columns: readonly Column<T>[]): CalicoTable {
  const shown = (isWide: boolean) => columns.filter((column) => isWide || column.only === undefined)
  return {
    headings: (isWide) => shown(isWide).map((column) => column.heading),
    row: (object, isWide, facts) => shown(isWide).map((column) => show(column.cell(object as T, facts))),
    cell(object, heading, facts) {
      const column = columns.find((each) => each.heading === heading.toUpperCase())
      return column === undefined ? undefined : show(column.cell(object as T, facts))
    },
  }
}

const name = <T extends KubeObject>(): Column<T> => ({ heading: 'NAME', cell: (object) => object.metadata.name })

const nodeTable = tableOf<VirtualNode>([
  name(),
  {
    heading: 'ASN',
    only: 'wide',
    cell: (node, facts) => shownAsNumber(node, facts.clusterAsNumber ?? defaultAsNumber),
  },
  { heading: 'IPV4', only: 'wide', cell: (node) => node.spec?.bgp?.ipv4Address },
  { heading: 'IPV6', only: 'wide', cell: (node) => node.spec?.bgp?.ipv6Address },
])

const ipPoolTable = tableOf<IPPool>([
  name(),
  { heading: 'CIDR', cell: ({ spec }) => spec.cidr },
  { heading: 'NAT', only: 'wide', cell: ({ spec }) => spec.natOutgoing === true },
  { heading: 'IPIPMODE', only: 'wide', cell: ({ spec }) => spec.ipipMode ?? 'Never' },
  { heading: 'VXLANMODE', only: 'wide', cell: ({ spec }) => spec.vxlanMode ?? 'Never' },
  { heading: 'DISABLED', only: 'wide', cell: ({ spec }) => spec.disabled === true },
  { heading: 'DISABLEBGPEXPORT', only: 'wide', cell: ({ spec }) => spec.disableBGPExport === true },
  { heading: 'SELECTOR', cell: ({ spec }) => spec.nodeSelector ?? 'all()' },
])

const bgpPeerTable = tableOf<BGPPeer>([
  name(),
  { heading: 'PEERIP', cell: ({ spec }) => spec.peerIP },
  { heading: 'NODE', cell: ({ spec }) => spec.node || spec.nodeSelector || '(global)' },
  { heading: 'ASN', cell: ({ spec }) => spec.asNumber ?? 0 },
])

const bgpConfigurationTable = tableOf<BGPConfiguration>([
  name(),
  { heading: 'LOGSEVERITY', cell: ({ spec }) => spec?.logSeverityScreen },
  { heading: 'MESHENABLED', cell: ({ spec }) => spec?.nodeToNodeMeshEnabled },
  { heading: 'ASNUMBER', cell: ({ spec }) => spec?.asNumber ?? '-' },
])

const ipReservationTable = tableOf<IPReservation>([
  name(),
  { heading: 'CIDRS', only: 'wide', cell: ({ spec }) => cutShort(spec?.reservedCIDRs?.join(',') ?? '', 80) },
])

const bgpFilterTable = tableOf<BGPFilter>([
  name(),
  { heading: 'NUMEXPORT', cell: ({ spec }) => countOf(spec?.exportV4, spec?.exportV6) },
  { heading: 'NUMIMPORT', cell: ({ spec }) => countOf(spec?.importV4, spec?.importV6) },
])

const nodeStatusTable = tableOf<CalicoNodeStatus>([
  name(),
  { heading: 'NODE', cell: ({ spec }) => spec.node },
  { heading: 'CLASSES', only: 'wide', cell: ({ spec }) => spec.classes.join(',') },
])

const ipamConfigurationTable = tableOf<IPAMConfiguration>([
  name(),
  { heading: 'STRICTAFFINITY', cell: ({ spec }) => spec.strictAffinity ?? false },
  { heading: 'AUTOALLOCATEBLOCKS', cell: ({ spec }) => spec.autoAllocateBlocks ?? true },
  { heading: 'MAXBLOCKSPERHOST', only: 'wide', cell: ({ spec }) => spec.maxBlocksPerHost ?? 0 },
])

const tables = new Map<string, CalicoTable>([
  [ipPools.kind, ipPoolTable],
  [bgpPeers.kind, bgpPeerTable],
  [bgpConfigurations.kind, bgpConfigurationTable],
  [ipReservations.kind, ipReservationTable],
  [bgpFilters.kind, bgpFilterTable],
  [calicoNodeStatuses.kind, nodeStatusTable],
  [ipamConfigurations.kind, ipamConfigurationTable],
])

function countOf(...lists: readonly (readonly unknown[] | undefined)[]): number {
  return lists.flatMap((list) => list ?? []).length
}

function cutShort(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`
}

/** calicoctl leaves the cell of an absent value blank. */
function show(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}
