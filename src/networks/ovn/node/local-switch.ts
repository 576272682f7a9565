import { access } from 'node:fs/promises'
import type { Log } from '../../../base/log.ts'
import { waitFor } from '../../../base/observable.ts'
import type { Row, RowIndex } from '../../../ovsdb/cache.ts'
import { type Committed, connectOvsdb, type OvsdbClient } from '../../../ovsdb/client.ts'
import { Transaction } from '../../../ovsdb/transaction.ts'
import {
  type Bridge,
  type Interface,
  type OpenVSwitch,
  type OpenVSwitchTables,
  openVSwitchColumns,
  type Port,
} from '../tables/open-vswitch.ts'

export type SwitchTransaction = Transaction<OpenVSwitchTables>

/** This node's Open vSwitch, through its database. */
export class LocalSwitch {
  readonly client: OvsdbClient<OpenVSwitchTables>
  readonly #bridges: RowIndex<Bridge>
  readonly #ports: RowIndex<Port>
  readonly #interfaces: RowIndex<Interface>
  readonly #bySandbox: RowIndex<Interface>
  readonly #byLogicalPort: RowIndex<Interface>
  readonly #datapathType: 'auto' | 'system' | 'netdev'
  #hasKernelModule = false

  constructor(options: { socket: string; datapathType: 'auto' | 'system' | 'netdev'; log: Log }) {
    this.#datapathType = options.datapathType
    this.client = connectOvsdb<OpenVSwitchTables>({
      remote: `unix:${options.socket}`,
      database: 'Open_vSwitch',
      tables: openVSwitchColumns,
      log: options.log.child({ database: 'Open_vSwitch' }),
    })
    this.#bridges = this.client.table('Bridge').indexBy((row) => row.name)
    this.#ports = this.client.table('Port').indexBy((row) => row.name)
    this.#interfaces = this.client.table('Interface').indexBy((row) => row.name)
    this.#bySandbox = this.client.table('Interface').indexBy((row) => row.external_ids.sandbox)
    this.#byLogicalPort = this.client.table('Interface').indexBy((row) => row.external_ids['iface-id'])
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#hasKernelModule = await access('/sys/module/openvswitch').then(
      () => true,
      () => false,
    )
    await this.client.start(signal)
  }

  /** `netdev` is the userspace datapath, which reads interfaces beside the kernel's own stack. */
  get datapathType(): 'system' | 'netdev' {
    if (this.#datapathType !== 'auto') return this.#datapathType
    const isOffered = this.root?.datapath_types.includes('system') ?? false
    return isOffered && this.#hasKernelModule ? 'system' : 'netdev'
  }

  get root(): Row<OpenVSwitch> | undefined {
    return this.client.table('Open_vSwitch').find(() => true)
  }

  bridge(name: string): Row<Bridge> | undefined {
    return this.#bridges.get(name)[0]
  }

  port(name: string): Row<Port> | undefined {
    return this.#ports.get(name)[0]
  }

  interface(name: string): Row<Interface> | undefined {
    return this.#interfaces.get(name)[0]
  }

  /** OpenFlow number of an interface that the switch has taken up; undefined while it has not. */
  ofport(name: string): number | undefined {
    const number = this.interface(name)?.ofport
    return number === undefined || number < 0 ? undefined : number
  }

  interfacesOfSandbox(containerId: string): readonly Row<Interface>[] {
    return this.#bySandbox.get(containerId)
  }

  interfacesOfLogicalPort(name: string): readonly Row<Interface>[] {
    return this.#byLogicalPort.get(name)
  }

  /** Commits, and tells the switch that there is something to do. */
  transact(build: (transaction: SwitchTransaction) => void, signal?: AbortSignal): Promise<Committed> {
    const transaction = new Transaction<OpenVSwitchTables>()
    build(transaction)
    if (!transaction.isEmpty) transaction.mutate('Open_vSwitch', {}, { next_cfg: { add: 1 } })
    return this.client.transact(transaction, signal)
  }

  /** Resolves when the switch has done everything that was committed before. */
  async applied(signal: AbortSignal): Promise<void> {
    const target = this.root?.next_cfg ?? 0
    await waitFor(this.client, () => ((this.root?.cur_cfg ?? 0) >= target ? true : undefined), {
      what: 'ovs-vswitchd to apply the configuration',
      timeoutMs: 20_000,
      signal,
      detail: () => 'is it running?',
    })
  }
}

/** Adds the removal of ports to the transaction; their rows go with them. */
export function removePorts(transaction: SwitchTransaction, ports: readonly string[]): void {
  if (ports.length > 0) transaction.mutate('Bridge', {}, { ports: { delete: ports } })
}
