import type { NetworkConfigList } from '../../cni/request.ts'
import type { NodeSide } from '../../networks/driver.ts'
import type { Devices } from './devices.ts'

/** A network that finds information on its device where the standard says, and leaves none behind. */
export function withDeviceInfo(nodeSide: NodeSide, devices: Devices): NodeSide {
  const { addresses, preparation } = nodeSide
  const prefixes = nodeSide.prefixes?.bind(nodeSide)
  const remove = nodeSide.remove?.bind(nodeSide)
  const impairments = nodeSide.impairments?.bind(nodeSide)
  const gauges = nodeSide.gauges?.bind(nodeSide)
  const metrics = nodeSide.metrics?.bind(nodeSide)
  const requireReady = nodeSide.requireReady?.bind(nodeSide)
  const collectGarbageOf = nodeSide.collectGarbageOf?.bind(nodeSide)
  return {
    ...(addresses === undefined ? {} : { addresses }),
    ...(preparation === undefined ? {} : { preparation }),
    ...(prefixes === undefined ? {} : { prefixes }),
    ...(remove === undefined ? {} : { remove }),
    ...(impairments === undefined ? {} : { impairments }),
    ...(gauges === undefined ? {} : { gauges }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(requireReady === undefined ? {} : { requireReady }),
    ...(collectGarbageOf === undefined ? {} : { collectGarbageOf }),
    start: (signal) => nodeSide.start(signal),
    stop: () => nodeSide.stop(),
    async attach(request, signal) {
      const { device } = request.requested
      if (device !== undefined) await devices.copyInfo(request, device)
      return await nodeSide.attach(request, signal)
    },
    async detach(ref, signal) {
      await nodeSide.detach(ref, signal)
      if (hasDevice(ref.configList)) await devices.removeInfo(ref)
    },
    verify: (ref, result, signal) => nodeSide.verify(ref, result, signal),
    collectGarbage: (valid) => nodeSide.collectGarbage(valid),
    status: () => nodeSide.status(),
  }
}

/** Whether an attachment may have a device, by its complete configuration. */
export function hasDevice({ plugins }: NetworkConfigList): boolean {
  return plugins.some(
    ({ deviceID, runtimeConfig }) => deviceID !== undefined || runtimeConfig?.CNIDeviceInfoFile !== undefined,
  )
}
