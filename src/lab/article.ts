import { type LabConfig, parseLabConfig } from './config.ts'

/** The article's pod on work01 has an address of 10.144.0.0/24, so the subnets do not depend on who joins first. */
function ovnSubnet(cidr: string): Record<string, string> {
  return { 'k8s.ovn.org/node-subnets': JSON.stringify({ default: [cidr] }) }
}

/** The article's cluster, in the form of a lab.yaml; also in examples/article/lab.yaml. */
export const articleLab = {
  name: 'article',
  controlPlane: 'master01',
  management: 'ens1',
  fabric: {
    networks: [
      { interface: 'ens1', cidr: '192.168.122.0/24', router: '192.168.122.1' },
      { interface: 'ens2', cidr: '192.168.100.0/24', router: '192.168.100.1' },
      { interface: 'ens3', cidr: '192.168.200.0/24', router: '192.168.200.1' },
    ],
    outside: ['203.0.113.1'],
  },
  nodes: [
    {
      name: 'master01',
      annotations: ovnSubnet('10.144.2.0/24'),
      addresses: { ens1: '192.168.122.10', ens2: '192.168.100.10', ens3: '192.168.200.10' },
    },
    {
      name: 'work01',
      annotations: ovnSubnet('10.144.0.0/24'),
      addresses: { ens1: '192.168.122.101', ens2: '192.168.100.101', ens3: '192.168.200.101' },
    },
    {
      name: 'work02',
      annotations: ovnSubnet('10.144.1.0/24'),
      addresses: { ens1: '192.168.122.102', ens2: '192.168.100.102', ens3: '192.168.200.102' },
    },
  ],
}

/** The lab that is built when no file is given. */
export function articleConfig(): LabConfig {
  return parseLabConfig(articleLab)
}
