/**
 * The one configuration file of the agent and the controller (YAML, /etc/twinlane/config.yaml). The lab writes one per
 * node; on a real cluster it is a ConfigMap. Validated by agent/config.ts and controller/config.ts with zod; this is
 * only its shape, so that whoever writes the file and whoever reads it agree.
 *
 * ```yaml
 * nodeName: work01                 # agent only; default: NODENAME of the environment, else the hostname
 * kubeconfig: /etc/kubernetes/twinlane.kubeconfig
 * logLevel: info
 * networks:
 *   routed: {…}                    # parsed by the driver's parseSettings
 *   ovn: {…}
 * ```
 */
export interface ProcessConfig {
  nodeName?: string
  /** @default the service account of the process' pod */
  kubeconfig?: string
  logLevel?: 'debug' | 'info' | 'warn' | 'error'
  networks: {
    routed: RoutedSettingsFile
    ovn: OvnSettingsFile
  }
  agent?: AgentSettingsFile
  /** The validating webhook of the controller; absent: none. */
  admission?: AdmissionSettingsFile
}

/** What concerns the controller's webhook alone. */
export interface AdmissionSettingsFile {
  /** @default 0.0.0.0 */
  host?: string
  /** @default 9443 */
  port?: number
  /** PEM files; read again when they change. */
  certFile: string
  keyFile: string
  /** Pods may use definitions of their own namespace and of these only. @default no isolation */
  globalNamespaces?: string[]
}

/** What concerns the agent alone. */
export interface AgentSettingsFile {
  /** Our file in /etc/cni/net.d: its name (default 00-twinlane.conf) and what it says beside version, name and type. */
  netConf?: { fileName?: string; content?: Record<string, unknown> }
  /** CNI requests worked on at once. @default 16 */
  maxConcurrent?: number
  /** Requests that may wait for their turn, DEL and the others each; more are told to try again. @default 512 */
  maxWaiting?: number
  /** Health and metrics: `address:port`, a unix socket's path or `off`. @default 127.0.0.1:9091 */
  httpAddress?: string
}

/** Settings of the routed network, with the names users know from Calico's environment variables beside them. */
export interface RoutedSettingsFile {
  /** CALICO_IPV4POOL_CIDR: prefix of the pool that is made if there is none. @default 192.168.0.0/16 */
  ipPoolCidr?: string
  /** CALICO_IPV4POOL_BLOCK_SIZE @default 26 */
  blockSize?: number
  /** CALICO_IPV4POOL_NAT_OUTGOING @default true */
  natOutgoing?: boolean
  /** CALICO_IPV4POOL_IPIP; not together with vxlanMode. @default Never */
  ipipMode?: 'Never' | 'Always' | 'CrossSubnet'
  /** CALICO_IPV4POOL_VXLAN @default Never */
  vxlanMode?: 'Never' | 'Always' | 'CrossSubnet'
  /** CALICO_IPV6POOL_CIDR: prefix of the IPv6 pool that is made if there is none; pods then have both families. @default none */
  ipv6PoolCidr?: string | undefined
  /** CALICO_IPV6POOL_BLOCK_SIZE @default 122 */
  ipv6BlockSize?: number
  /** CALICO_IPV6POOL_VXLAN @default Never */
  ipv6VxlanMode?: 'Never' | 'Always' | 'CrossSubnet'
  /** CALICO_IPV6POOL_NAT_OUTGOING @default false */
  ipv6NatOutgoing?: boolean
  /** IP_AUTODETECTION_METHOD; `none`: no IPv4. @default first-found */
  ipAutodetectionMethod?: string
  /** IP6_AUTODETECTION_METHOD; `none`: no IPv6. @default that of IPv4 where there is an ipv6PoolCidr, else none */
  ip6AutodetectionMethod?: string | undefined
  /** Pod MTU; 0 = that of the detected node interface, less what encapsulation needs. @default 0 */
  mtuBytes?: number
}

/** Settings of the OVN network, with the names users know from daemonset.sh beside them. */
export interface OvnSettingsFile {
  /** --net-cidr; `cidr` or `cidr/hostPrefix`, several separated by commas, of one family or both. @default 10.128.0.0/14/23 */
  netCidr?: string
  /** --svc-cidr; one a family, separated by a comma. @default 172.30.0.0/16 */
  svcCidr?: string
  /** --gateway-mode @default local */
  gatewayMode?: 'local' | 'shared'
  /** --gateway-interface: NIC to move into the gateway bridge; absent: no takeover, mp0 only. */
  gatewayInterface?: string
  /** --gateway-nexthop; one a family, separated by a comma. Absent: that of the gateway interface's default route. */
  gatewayNextHop?: string
  /** With gatewayMode shared: prefixes that pods reach through their host all the same, e.g. those of eth0's pods. */
  hostCidrs?: string[]
  /** --multicast-enabled @default false */
  multicastEnabled?: boolean
  /** --disable-snat-multiple-gws @default false */
  disableSnatMultipleGateways?: boolean
  /** --disable-pkt-mtu-check @default false */
  disablePacketMtuCheck?: boolean
  /** --encap-type @default geneve */
  encapType?: 'vxlan' | 'geneve'
  /** --encap-ip; absent: the address of the gateway interface, else the node's InternalIP. */
  encapIp?: string
  /** --mtu @default 1400 */
  mtuBytes?: number
  /** PEM files for `ssl:` databases; on a node ovn-controller is told them too. */
  tls?: { privateKey: string; certificate: string; caCertificate: string }
  /** How long an ADD waits in all for controller and OVN before it says what is late. @default 30000 */
  attachTimeoutMs?: number
  /** e.g. tcp:192.168.122.10:6641 or ssl:…; the members of a cluster separated by commas. */
  northbound: string
  /** e.g. tcp:192.168.122.10:6642 */
  southbound: string
  /** `system` = kernel module, `netdev` = userspace. `auto` takes system where the module is there. @default auto */
  datapathType?: 'auto' | 'system' | 'netdev'
}
