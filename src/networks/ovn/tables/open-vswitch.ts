/** Columns in use of a node's Open vSwitch database. Sets are arrays, maps are records, references are UUIDs. */
type Map = Readonly<Record<string, string>>
type Set = readonly string[]

export interface OpenVSwitch {
  readonly bridges: Set
  readonly next_cfg: number
  readonly cur_cfg: number
  readonly external_ids: Map
  readonly other_config: Map
  readonly ovs_version: string | undefined
  readonly datapath_types: Set
  readonly ssl: string | undefined
}

/** The files by which programs of this node prove who they are to `ssl:` databases. */
export interface Ssl {
  readonly private_key: string
  readonly certificate: string
  readonly ca_cert: string
}

export interface Bridge {
  readonly name: string
  readonly ports: Set
  readonly datapath_type: string
  readonly fail_mode: string | undefined
  readonly external_ids: Map
  readonly other_config: Map
}

export interface Port {
  readonly name: string
  readonly interfaces: Set
  readonly external_ids: Map
  readonly other_config: Map
}

export interface Interface {
  readonly name: string
  readonly type: string
  readonly mac: string | undefined
  readonly mac_in_use: string | undefined
  readonly mtu_request: number | undefined
  readonly ofport: number | undefined
  readonly error: string | undefined
  readonly external_ids: Map
}

export interface OpenVSwitchTables {
  Open_vSwitch: OpenVSwitch
  Bridge: Bridge
  Port: Port
  Interface: Interface
  SSL: Ssl
}

/** What the agent keeps a copy of: every column above. */
export const openVSwitchColumns: { readonly [N in keyof OpenVSwitchTables]: readonly (keyof OpenVSwitchTables[N])[] } =
  {
    Open_vSwitch: [
      'bridges',
      'next_cfg',
      'cur_cfg',
      'external_ids',
      'other_config',
      'ovs_version',
      'datapath_types',
      'ssl',
    ],
    SSL: ['private_key', 'certificate', 'ca_cert'],
    Bridge: ['name', 'ports', 'datapath_type', 'fail_mode', 'external_ids', 'other_config'],
    Port: ['name', 'interfaces', 'external_ids', 'other_config'],
    Interface: ['name', 'type', 'mac', 'mac_in_use', 'mtu_request', 'ofport', 'error', 'external_ids'],
  }
