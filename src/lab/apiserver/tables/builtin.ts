import { endpointSliceColumns, endpointsColumns, serviceColumns } from './network.ts'
import { nodeColumns } from './nodes.ts'
import { podColumns } from './pods.ts'
import {
  configMapColumns,
  customResourceDefinitionColumns,
  eventColumns,
  leaseColumns,
  namespaceColumns,
  secretColumns,
  serviceAccountColumns,
  webhookConfigurationColumns,
} from './small-kinds.ts'
import type { TableColumns } from './table.ts'

/** Columns of the built-in kinds by plural name. */
export const builtinColumns: Readonly<Record<string, TableColumns>> = {
  configmaps: configMapColumns,
  customresourcedefinitions: customResourceDefinitionColumns,
  endpoints: endpointsColumns,
  endpointslices: endpointSliceColumns,
  events: eventColumns,
  leases: leaseColumns,
  namespaces: namespaceColumns,
  nodes: nodeColumns,
  pods: podColumns,
  secrets: secretColumns,
  serviceaccounts: serviceAccountColumns,
  services: serviceColumns,
  validatingwebhookconfigurations: webhookConfigurationColumns,
}
