import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Container, KeyToPath, PodSpec, Volume } from 'kubernetes-types/core/v1.js'
import type { Bind } from '../runtime/oci-spec.ts'
import { MissingSourceError, type Sources } from './sources.ts'

/** Makes the pod's volumes under `folder`. Returns the path of each. Throws MissingSourceError naming volume and source. */
export async function prepareVolumes(spec: PodSpec, folder: string, sources: Sources): Promise<Map<string, string>> {
  const entries = (spec.volumes ?? []).map(async (volume) => {
    return [volume.name, await prepareVolume(volume, join(folder, volume.name), sources)] as const
  })
  return new Map(await Promise.all(entries))
}

/** A container's volume mounts as bind mounts. */
export function volumeBinds(container: Container, volumes: ReadonlyMap<string, string>): Bind[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const path = volumes.get(mount.name)
    if (path === undefined) throw new MissingSourceError(`volumeMounts: the pod has no volume "${mount.name}"`)
    return {
      source: join(path, mount.subPath ?? ''),
      destination: mount.mountPath,
      isReadOnly: mount.readOnly === true,
    }
  })
}

async function prepareVolume(volume: Volume, path: string, sources: Sources): Promise<string> {
  if (volume.hostPath !== undefined) return prepareHostPath(volume.hostPath)
  if (volume.emptyDir !== undefined) {
    await mkdir(path, { recursive: true, mode: 0o777 })
    return path
  }
  const { configMap, secret } = volume
  if (configMap !== undefined) {
    const data = sources.configMaps.get(configMap.name ?? '')
    await writeKeys({ ...configMap, path, data, what: `configmap "${configMap.name}"`, volume: volume.name })
    return path
  }
  if (secret !== undefined) {
    const data = sources.secrets.get(secret.secretName ?? '')
    await writeKeys({ ...secret, path, data, what: `secret "${secret.secretName}"`, volume: volume.name })
    return path
  }
  throw new MissingSourceError(`volume "${volume.name}" is of a kind that the lab lacks`, {
    fix: 'use emptyDir, configMap, secret or hostPath',
  })
}

async function prepareHostPath(source: { path: string; type?: string }): Promise<string> {
  if (source.type === 'DirectoryOrCreate') await mkdir(source.path, { recursive: true })
  return source.path
}

interface KeyFiles {
  path: string
  data: Record<string, Buffer> | undefined
  items?: KeyToPath[]
  defaultMode?: number
  optional?: boolean
  what: string
  volume: string
}

async function writeKeys(files: KeyFiles): Promise<void> {
  const { path, data, items, defaultMode = 0o644 } = files
  if (data === undefined && files.optional !== true) {
    throw new MissingSourceError(`MountVolume.SetUp failed for volume "${files.volume}" : ${files.what} not found`)
  }
  await mkdir(path, { recursive: true })
  const wanted = items ?? Object.keys(data ?? {}).map((key) => ({ key, path: key, mode: defaultMode }))
  for (const item of wanted) {
    const content = data?.[item.key]
    if (content === undefined) continue
    const target = join(path, item.path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content, { mode: item.mode ?? defaultMode })
  }
}
