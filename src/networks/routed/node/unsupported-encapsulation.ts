import { TwinlaneError } from '../../../base/errors.ts'
import { type Encapsulation, tunnelFamilies } from '../tunnels/encapsulation.ts'

const shown: Readonly<Record<Encapsulation, { name: string; module: string; field: string }>> = {
  vxlan: { name: 'VXLAN', module: 'vxlan', field: 'vxlanMode' },
  vxlan6: { name: 'VXLAN over IPv6', module: 'vxlan', field: 'vxlanMode' },
  ipip: { name: 'IP-in-IP', module: 'ipip', field: 'ipipMode' },
}

/** A pool asks for an encapsulation that this node's kernel does not have. */
export class UnsupportedEncapsulationError extends TwinlaneError {
  constructor(kind: Encapsulation, cause: unknown) {
    const { name, module, field } = shown[kind]
    super(`this node's kernel has no ${name} (module ${module}), which an IPPool asks for by ${field}`, {
      fix: `load it (modprobe ${module}), or set ${field} of the IPPool to Never${kind === 'ipip' ? ' and use vxlanMode' : ''}`,
      cause,
    })
  }
}

/** A pool asks for tunnels of a family of which this node has no address. */
export class NoUnderlayError extends TwinlaneError {
  constructor(kind: Encapsulation) {
    const { name, field } = shown[kind]
    const family = tunnelFamilies[kind]
    super(`this node has no IPv${family} address, which ${name} needs that an IPPool asks for by ${field}`, {
      fix: `give the node one and set networks.routed.${family === 4 ? 'ipAutodetectionMethod' : 'ip6AutodetectionMethod'}, or set ${field} of the IPPool to Never`,
    })
  }
}
