/** The files of k8s/monitoring as tests read them: the dashboard, the alert rules, and every expression in them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { projectRoot } from './sources.js';

/** Path of such a file. */
export const monitoringFile = (name: string): string => join(projectRoot, 'k8s', 'monitoring', name);

/** A panel of the dashboard, as far as tests read it. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat: string;
    readonly refId: string;
    readonly datasource: object;
  }[];
}

/** A variable of it. */
interface Variable {
  readonly name: string;
  readonly query: string | { readonly query: string };
}

/** The dashboard. */
export const dashboard = JSON.parse(readFileSync(monitoringFile('grafana-dashboard.json'), 'utf8')) as {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
};

/** The alert rules. */
export const alertRules = (
  parse(readFileSync(monitoringFile('alerts.yaml'), 'utf8')) as {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly expr: string;
        readonly labels: { readonly severity: string };
        readonly annotations: { readonly summary: string };
      }[];
    }[];
  }
).groups.flatMap(({ rules }) => rules);

/** What the dashboard asks, with values in the place of Grafana's variables. */
export const dashboardQueries: readonly string[] = dashboard.panels
  .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  .map((expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(run|job)\b/g, '.*'));
