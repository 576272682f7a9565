import type { Address, Kernel, KernelEvent, Route } from '../../../../kernel/kernel.ts'
import { belongingsOf } from './nic-state.ts'

/**
 * Calls back when the NIC has something again that belongs on its bridge: a DHCP client or an administrator gave it an
 * address or a route. Resolves when the watch is open; ends when the signal aborts.
 */
export async function watchNic(
  kernel: Kernel,
  uplink: string,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  const look = (): void => {
    void belongingsOf(kernel, uplink)
      .then(({ addresses, routes }) => {
        if (addresses.length > 0 || routes.length > 0) onChange()
      })
      .catch(() => {})
  }
  const watch = kernel.watch(undefined, (event) => mayConcern(event, uplink) && look(), look)
  signal.addEventListener('abort', () => void watch.close(), { once: true })
  await watch.ready
}

/** Pods bring routes of their own devices and link-local addresses, many at a time: they are not worth a look. */
function mayConcern({ kind, action, object }: KernelEvent, uplink: string): boolean {
  if (action !== 'new') return false
  if (kind === 'address') return ((object as Address).scope ?? 0) === 0
  return kind === 'route' && (object as Route).device === uplink
}
