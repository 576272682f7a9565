import { cidrContains, parseCidr } from '../../base/ip.ts'
import type { Kernel, Route } from '../../kernel/kernel.ts'
import type { PlannedRoute } from '../../meta/routing/types.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import type { Networks } from '../networks.ts'

const linkLocal = parseCidr('fe80::/10')

/**
 * Adds to the record what plugins really installed: ptp replaces the subnet's route, sbr moves routes into other
 * tables, and a router may advertise a default route; none of that is in a result. One read of the kernel, and only
 * when there is such a network. Call it before the routing is applied. Throws KernelError.
 */
export async function observeRoutes(
  record: AttachmentRecord,
  { kernel, networks }: { kernel: Kernel; networks: Networks },
): Promise<AttachmentRecord> {
  const isUnknown = ({ driver, routing }: RecordedAttachment): boolean =>
    routing !== undefined && routing.installed === undefined && !networks.get(driver).driver.capabilities.reportsRoutes
  if (record.attachments.length < 2 || !record.attachments.some(isUnknown)) return record
  const routes = (await kernel.routes(record.netns)).flatMap(toPlanned)
  const observe = (attachment: RecordedAttachment): RecordedAttachment => {
    if (attachment.routing === undefined || !isUnknown(attachment)) return attachment
    const installed = routes.filter(({ device }) => device === attachment.ifName)
    return { ...attachment, routing: { ...attachment.routing, installed } }
  }
  return { ...record, attachments: record.attachments.map(observe) }
}

/** Every interface has the link-local prefix by itself. Only unicast routes out of one device are a plugin's. */
function toPlanned(route: Route): PlannedRoute[] {
  const { family, destination, device, gateway, source, scope, metric, type } = route
  if (device === undefined || (type ?? 'unicast') !== 'unicast') return []
  if (family === 6 && cidrContains(linkLocal, parseCidr(destination).network)) return []
  return [
    {
      family,
      destination,
      device,
      ...(gateway === undefined ? {} : { gateway }),
      ...(source === undefined ? {} : { source }),
      ...(scope === undefined || scope === 0 ? {} : { scope }),
      ...(metric === undefined ? {} : { metric }),
    },
  ]
}
