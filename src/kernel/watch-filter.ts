import type { KernelEvent, Route, WatchFilter } from './kernel.ts'

/** Whether an event is about a device that the filter names. */
export function concerns(
  event: KernelEvent,
  filter: WatchFilter,
  names: { get(index: number): string | undefined },
): boolean {
  if (filter.kinds?.includes(event.kind) === false) return false
  return devicesOf(event, names).some((device) => isWatched(device, filter))
}

/** Whether the filter names the device. */
export function isWatched(device: string, { devices, except = [] }: WatchFilter): boolean {
  return devices.some((pattern) => matches(pattern, device)) && !except.some((pattern) => matches(pattern, device))
}

function matches(pattern: string, device: string): boolean {
  return pattern.endsWith('*') ? device.startsWith(pattern.slice(0, -1)) : device === pattern
}

function devicesOf(event: KernelEvent, names: { get(index: number): string | undefined }): string[] {
  switch (event.kind) {
    case 'link':
      return [event.object.name]
    case 'address':
      return [names.get(event.object.linkIndex) ?? '']
    case 'route':
      return routeDevices(event.object)
    case 'rule':
      return []
    default:
      return [event.object.device]
  }
}

function routeDevices({ device, nextHops }: Route): string[] {
  return [device, ...(nextHops ?? []).map((hop) => hop.device)].filter((each) => each !== undefined)
}
