import type { KubeObject } from '../../../kube/resources/meta.ts'
import { ageColumn, calicoResource, listOf, record } from './schema.ts'

/** Addresses that are not given out by themselves (as Calico does); asking for one of them is allowed. */
export interface IPReservation extends KubeObject {
  spec?: { reservedCIDRs?: string[] }
}

export const ipReservations = calicoResource<IPReservation>({
  kind: 'IPReservation',
  plural: 'ipreservations',
  shortNames: ['ipreservation'],
  description: 'Addresses that are not given to pods unless they ask for them. Those in use already stay in use.',
  printerColumns: [{ name: 'ReservedCIDRs', type: 'string', jsonPath: '.spec.reservedCIDRs' }, ageColumn],
  spec: record('What is reserved.', {
    reservedCIDRs: listOf('Prefixes, and single addresses, of either family.', {
      type: 'string',
      pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$',
    }),
  }),
})
