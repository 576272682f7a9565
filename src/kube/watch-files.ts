import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/**
 * Calls `onChange` when one of these files may have changed; by inotify on their folders, because they are replaced and
 * not written. A mounted Secret or service account changes by its link `..data`. Returns what ends it.
 */
export function watchFiles(files: readonly string[], onChange: () => void): () => void {
  const names = new Set(['..data', ...files.map((file) => basename(file))])
  const watchers = [...new Set(files.map((file) => dirname(file)))].map((folder) =>
    watchFolder(folder, names, onChange),
  )
  return () => {
    for (const watcher of watchers) watcher.close()
  }
}

function watchFolder(folder: string, names: ReadonlySet<string>, onChange: () => void): FSWatcher {
  const watcher = watch(folder, { persistent: false }, (_, name) => {
    if (name === null || names.has(name)) onChange()
  })
  // The folder is gone: a refused request still makes the files be read again.
  watcher.on('error', () => watcher.close())
  return watcher
}
