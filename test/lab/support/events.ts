import type { Lab } from './lab.ts'

/** Events about a pod of the namespace default, each as `<type> <reason> <message>`. */
export async function eventsOf(lab: Lab, pod: string): Promise<string[]> {
  const list = await lab.json<{
    items: { type: string; reason: string; message: string; involvedObject: { name: string } }[]
  }>(['get', 'events', '-o', 'json'])
  return list.items
    .filter((event) => event.involvedObject.name === pod)
    .map((event) => `${event.type} ${event.reason} ${event.message}`)
}
