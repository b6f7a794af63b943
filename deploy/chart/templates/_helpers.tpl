{{/*
Labels of an object: of the chart, then of `more`, then common ones: `.` or (list . more). Earlier ones win, so that no
value changes what selectors match.
*/}}
{{- define "aim-admission.labels" -}}
{{- $root := . }}
{{- $more := dict }}
{{- if kindIs "slice" . }}
{{- $root = first . }}
{{- $more = last . }}
{{- end }}
{{- $own := dict
  "app.kubernetes.io/name" "aim-admission"
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_")
}}
{{- $global := $root.Values.global | default dict }}
{{- omit (merge $own $more ($root.Values.commonLabels | default dict) ($global.commonLabels | default dict)) "app.kubernetes.io/component" | toYaml }}
{{- end }}

{{/* Labels that select the pods of one component: (list . "serve"). */}}
{{- define "aim-admission.selector" -}}
app.kubernetes.io/name: aim-admission
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{- define "aim-admission.image" -}}
{{- $global := .Values.global | default dict }}
{{- with $global.imageRegistry | default .Values.image.registry }}{{ . }}/{{ end }}
{{- .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Pull secrets of the chart, then global ones, which may be names. */}}
{{- define "aim-admission.imagePullSecrets" -}}
{{- $global := .Values.global | default dict }}
{{- $secrets := list }}
{{- range concat (.Values.imagePullSecrets | default list) ($global.imagePullSecrets | default list) }}
{{- $secrets = append $secrets (ternary . (dict "name" .) (kindIs "map" .)) }}
{{- end }}
{{- with uniq $secrets }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* Without the users and groups that OpenShift assigns, if the cluster is one. */}}
{{- define "aim-admission.podSecurityContext" -}}
{{- $adapt := dig "compatibility" "openshift" "adaptSecurityContext" "auto" (.Values.global | default dict) }}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
{{- omit .Values.podSecurityContext "runAsUser" "runAsGroup" "fsGroup" | toYaml }}
{{- else }}
{{- toYaml .Values.podSecurityContext }}
{{- end }}
{{- end }}

{{/* "true" if the serving certificate comes from a mounted Secret, else empty. */}}
{{- define "aim-admission.mountsPair" -}}
{{- if ne .Values.certificates.mode "self-managed" }}true{{ end }}
{{- end }}

{{/* The volume source of the CA of client certificates; empty without one. */}}
{{- define "aim-admission.clientCa" -}}
{{- with .Values.clientCertificates }}
{{- if .caConfigMap }}
configMap: {name: {{ .caConfigMap }}, items: [{key: ca.crt, path: ca.crt}]}
{{- else if .caSecret }}
secret: {secretName: {{ .caSecret }}, items: [{key: ca.crt, path: ca.crt}], defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of both commands as environment variables; the only place in the chart that names flags. */}}
{{- define "aim-admission.env" -}}
- {name: AIM_ADMISSION_HOST, value: {{ .Values.listenAddress | quote }}}
- {name: AIM_ADMISSION_PROBE_PORT, value: "8080"}
- {name: AIM_ADMISSION_LOG_LEVEL, value: {{ .Values.logLevel | quote }}}
- {name: AIM_ADMISSION_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: AIM_ADMISSION_INJECT, value: {{ .Values.inject | default (ternary "record,fields" "record" (eq .Values.definitions "operator")) | quote }}}
- {name: AIM_ADMISSION_API_GROUP, value: {{ .Values.apiGroup | quote }}}
- {name: AIM_ADMISSION_MISSING_DEFAULT, value: {{ .Values.missingDefault | quote }}}
- {name: AIM_ADMISSION_PATH_SEGMENTS, value: {{ .Values.pathSegments | default (ternary "dns" "rfc3986" (eq .Values.definitions "operator")) | quote }}}
{{- end }}

{{- define "aim-admission.serve.env" -}}
{{ include "aim-admission.env" . }}
- {name: AIM_ADMISSION_PORT, value: "8443"}
- {name: AIM_ADMISSION_FAILURE_POLICY, value: {{ .Values.webhooks.failurePolicy | quote }}}
- {name: AIM_ADMISSION_MISSING_CONFIG, value: {{ .Values.serve.missingConfig | quote }}}
{{- if include "aim-admission.mountsPair" . }}
- {name: AIM_ADMISSION_CERT_FILE, value: /etc/aim-admission/tls/tls.crt}
- {name: AIM_ADMISSION_KEY_FILE, value: /etc/aim-admission/tls/tls.key}
{{- else }}
- {name: AIM_ADMISSION_CERT_SECRET, value: {{ .Values.certificates.secretName | quote }}}
{{- end }}
{{- if include "aim-admission.clientCa" . }}
- {name: AIM_ADMISSION_CLIENT_CA_FILE, value: /etc/aim-admission/client-ca/ca.crt}
{{- with .Values.clientCertificates.names }}
- {name: AIM_ADMISSION_CLIENT_NAME, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "aim-admission.reconcile.env" -}}
{{ include "aim-admission.env" . }}
{{- with .Values.reconcile.rolloutRate }}
- {name: AIM_ADMISSION_ROLLOUT_RATE, value: {{ . | quote }}}
{{- end }}
- {name: AIM_ADMISSION_ROLLOUT_CONCURRENCY, value: {{ .Values.reconcile.rolloutConcurrency | quote }}}
- {name: AIM_ADMISSION_ROLLOUT_FAILURE_LIMIT, value: {{ .Values.reconcile.rolloutFailureLimit | quote }}}
- {name: AIM_ADMISSION_METRIC_NAMES, value: {{ .Values.reconcile.metricNames | quote }}}
{{- end }}

{{/* The pod template of one component: (list . "serve"). */}}
{{- define "aim-admission.pod" -}}
{{- $root := first . }}
{{- $component := last . }}
{{- $values := index $root.Values $component }}
{{- $mountsPair := and (eq $component "serve") (include "aim-admission.mountsPair" $root) }}
{{- $clientCa := ternary (include "aim-admission.clientCa" $root) "" (eq $component "serve") }}
metadata:
  labels:
    {{- include "aim-admission.labels" (list $root ($values.podLabels | default dict)) | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
  annotations:
    {{- merge (dict "kubectl.kubernetes.io/default-container" $component) ($values.podAnnotations | default dict) | toYaml | nindent 4 }}
spec:
  serviceAccountName: {{ if eq $component "serve" }}aim-admission{{ else }}aim-admission-reconcile{{ end }}
  automountServiceAccountToken: true
  terminationGracePeriodSeconds: 45
  enableServiceLinks: false
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with include "aim-admission.imagePullSecrets" $root }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "aim-admission.podSecurityContext" $root | nindent 4 }}
  containers:
  - name: {{ $component }}
    image: {{ include "aim-admission.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [{{ $component }}]
    env:
    {{- $env := include (printf "aim-admission.%s.env" $component) $root }}
    {{- $env | nindent 4 }}
    {{- range $values.extraEnv }}
    {{- if contains (printf "{name: %s," .name) $env }}
    {{- fail (printf "%s.extraEnv sets %s, which the chart sets: use the value of the chart" $component .name) }}
    {{- end }}
    {{- toYaml (list .) | nindent 4 }}
    {{- end }}
    ports:
    {{- if eq $component "serve" }}
    - {name: webhooks, containerPort: 8443}
    {{- end }}
    - {name: probes, containerPort: 8080}
    readinessProbe:
      httpGet: {path: /readyz, port: probes}
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 2
    livenessProbe:
      httpGet: {path: /healthz, port: probes}
      initialDelaySeconds: 10
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    {{- with $values.preStopSeconds }}
    lifecycle:
      preStop: {sleep: {seconds: {{ . }}}}
    {{- end }}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      {{- toYaml $root.Values.containerSecurityContext | nindent 6 }}
    {{- if or $mountsPair $clientCa $values.extraVolumeMounts }}
    volumeMounts:
    {{- if $mountsPair }}
    - {name: tls, mountPath: /etc/aim-admission/tls, readOnly: true}
    {{- end }}
    {{- if $clientCa }}
    - {name: client-ca, mountPath: /etc/aim-admission/client-ca, readOnly: true}
    {{- end }}
    {{- with $values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
  {{- if or $mountsPair $clientCa $values.extraVolumes }}
  volumes:
  {{- if $mountsPair }}
  - name: tls
    secret: {secretName: {{ $root.Values.certificates.secretName }}, defaultMode: 0440}
  {{- end }}
  {{- if $clientCa }}
  - name: client-ca
    {{- $clientCa | nindent 4 }}
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- if kindIs "slice" $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
  {{- else }}
  topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ $values.spreadOverNodes }}
    nodeTaintsPolicy: Honor
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "aim-admission.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    nodeTaintsPolicy: Honor
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "aim-admission.selector" . | nindent 8 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
