import * as z from 'zod'

const ids = z.union([z.array(z.string()), z.record(z.string(), z.array(z.string()))])
const schema = z.looseObject({
  Data: z.looseObject({
    PodDeviceEntries: z
      .array(z.looseObject({ PodUID: z.string(), ResourceName: z.string(), DeviceIDs: ids.nullish() }))
      .nullish(),
  }),
})

/**
 * A pod's devices in the kubelet's own checkpoint of its device manager; since Kubernetes 1.20 IDs are grouped by NUMA
 * node. Throws when the text is no checkpoint.
 */
export function parseCheckpoint(text: string, podUid: string): Map<string, string[]> {
  const devices = new Map<string, string[]>()
  for (const entry of schema.parse(JSON.parse(text)).Data.PodDeviceEntries ?? []) {
    if (entry.PodUID !== podUid) continue
    const found = Object.values(entry.DeviceIDs ?? []).flat()
    devices.set(entry.ResourceName, [...(devices.get(entry.ResourceName) ?? []), ...found])
  }
  return devices
}
