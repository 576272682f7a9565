/** Columns in use of OVN's northbound database. Sets are arrays, maps are records, references are UUIDs. */
type Map = Readonly<Record<string, string>>
type Set = readonly string[]

export interface LogicalSwitch {
  readonly name: string
  readonly ports: Set
  readonly acls: Set
  readonly load_balancer: Set
  readonly load_balancer_group: Set
  readonly other_config: Map
  readonly external_ids: Map
}

export interface LogicalSwitchPort {
  readonly name: string
  readonly type: string
  readonly addresses: Set
  readonly port_security: Set
  readonly options: Map
  readonly external_ids: Map
  /** VLAN of a localnet port. */
  readonly tag_request: number | undefined
  readonly up: boolean | undefined
}

export interface LogicalRouter {
  readonly name: string
  readonly ports: Set
  readonly static_routes: Set
  readonly policies: Set
  readonly nat: Set
  readonly load_balancer: Set
  readonly load_balancer_group: Set
  readonly copp: string | undefined
  readonly options: Map
  readonly external_ids: Map
}

export interface LogicalRouterPort {
  readonly name: string
  readonly mac: string
  readonly networks: Set
  readonly gateway_chassis: Set
  readonly options: Map
  readonly external_ids: Map
}

export interface GatewayChassis {
  readonly name: string
  readonly chassis_name: string
  readonly priority: number
  readonly external_ids: Map
}

export interface StaticRoute {
  readonly ip_prefix: string
  readonly nexthop: string
  readonly output_port: string | undefined
  readonly policy: string | undefined
  readonly options: Map
  readonly external_ids: Map
}

export interface RouterPolicy {
  readonly priority: number
  readonly match: string
  readonly action: string
  readonly nexthops: Set
  readonly external_ids: Map
}

export interface Nat {
  readonly type: string
  readonly external_ip: string
  readonly logical_ip: string
  readonly options: Map
  readonly external_ids: Map
}

export interface LoadBalancer {
  readonly name: string
  readonly protocol: string | undefined
  readonly vips: Map
  readonly options: Map
  readonly selection_fields: Set
  readonly external_ids: Map
}

export interface LoadBalancerGroup {
  readonly name: string
  readonly load_balancer: Set
}

export interface PortGroup {
  readonly name: string
  readonly ports: Set
  readonly acls: Set
  readonly external_ids: Map
}

export interface AddressSet {
  readonly name: string
  readonly addresses: Set
  readonly external_ids: Map
}

export interface Acl {
  readonly name: string | undefined
  readonly priority: number
  readonly direction: string
  readonly match: string
  readonly action: string
  readonly options: Map
  readonly external_ids: Map
}

export interface Meter {
  readonly name: string
  readonly unit: string
  readonly bands: Set
  readonly fair: boolean | undefined
  readonly external_ids: Map
}

export interface MeterBand {
  readonly action: string
  readonly rate: number
  readonly external_ids: Map
}

export interface Copp {
  readonly name: string
  readonly meters: Map
  readonly external_ids: Map
}

export interface StaticMacBinding {
  readonly logical_port: string
  readonly ip: string
  readonly mac: string
  readonly override_dynamic_mac: boolean
}

export interface NorthboundTables {
  Logical_Switch: LogicalSwitch
  Logical_Switch_Port: LogicalSwitchPort
  Logical_Router: LogicalRouter
  Logical_Router_Port: LogicalRouterPort
  Gateway_Chassis: GatewayChassis
  Logical_Router_Static_Route: StaticRoute
  Logical_Router_Policy: RouterPolicy
  NAT: Nat
  Load_Balancer: LoadBalancer
  Load_Balancer_Group: LoadBalancerGroup
  Port_Group: PortGroup
  Address_Set: AddressSet
  ACL: Acl
  Meter: Meter
  Meter_Band: MeterBand
  Copp: Copp
  Static_MAC_Binding: StaticMacBinding
}

/** What the controller keeps a copy of: every column above. */
export const northboundColumns: { readonly [N in keyof NorthboundTables]: readonly (keyof NorthboundTables[N])[] } = {
  Logical_Switch: ['name', 'ports', 'acls', 'load_balancer', 'load_balancer_group', 'other_config', 'external_ids'],
  Logical_Switch_Port: ['name', 'type', 'addresses', 'port_security', 'options', 'external_ids', 'tag_request', 'up'],
  Logical_Router: [
    'name',
    'ports',
    'static_routes',
    'policies',
    'nat',
    'load_balancer',
    'load_balancer_group',
    'copp',
    'options',
    'external_ids',
  ],
  Logical_Router_Port: ['name', 'mac', 'networks', 'gateway_chassis', 'options', 'external_ids'],
  Gateway_Chassis: ['name', 'chassis_name', 'priority', 'external_ids'],
  Logical_Router_Static_Route: ['ip_prefix', 'nexthop', 'output_port', 'policy', 'options', 'external_ids'],
  Logical_Router_Policy: ['priority', 'match', 'action', 'nexthops', 'external_ids'],
  NAT: ['type', 'external_ip', 'logical_ip', 'options', 'external_ids'],
  Load_Balancer: ['name', 'protocol', 'vips', 'options', 'selection_fields', 'external_ids'],
  Load_Balancer_Group: ['name', 'load_balancer'],
  Port_Group: ['name', 'ports', 'acls', 'external_ids'],
  Address_Set: ['name', 'addresses', 'external_ids'],
  ACL: ['name', 'priority', 'direction', 'match', 'action', 'options', 'external_ids'],
  Meter: ['name', 'unit', 'bands', 'fair', 'external_ids'],
  Meter_Band: ['action', 'rate', 'external_ids'],
  Copp: ['name', 'meters', 'external_ids'],
  Static_MAC_Binding: ['logical_port', 'ip', 'mac', 'override_dynamic_mac'],
}
