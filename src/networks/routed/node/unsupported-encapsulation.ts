import { TwinlaneError } from '../../../base/errors.ts'
import type { Encapsulation } from '../tunnels/encapsulation.ts'

const shown: Readonly<Record<Encapsulation, { name: string; module: string; field: string }>> = {
  vxlan: { name: 'VXLAN', module: 'vxlan', field: 'vxlanMode' },
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
