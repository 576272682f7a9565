import type { TableColumns } from './table.ts'

/** Columns of the built-in kinds by plural name. */
export const builtinColumns: Readonly<Record<string, TableColumns>> = {}
