{{- define "stigg-sidecar.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "stigg-sidecar.selector" -}}
app.kubernetes.io/name: stigg-sidecar
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stigg-sidecar.labels" -}}
{{ include "stigg-sidecar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What any container of ours may do: nothing. */}}
{{- define "stigg-sidecar.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Of a pod with our container. Port 80 is open to everybody where that is said for the pod. */}}
{{- define "stigg-sidecar.podSecurityContext" -}}
{{- if lt (int .Values.ports.plaintextGrpc) 1024 }}
{{- if gt (int .Values.ports.plaintextGrpc) 0 }}
sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: {{ .Values.ports.plaintextGrpc | quote }}}]
{{- end }}
{{- end }}
fsGroup: 65532
{{- end }}

{{/* Environment that the sidecar and the cache service share. */}}
{{- define "stigg-sidecar.environment" -}}
- {name: SERVER_API_KEY_FILE, value: /var/run/stigg-sidecar/api-key/{{ .Values.apiKey.key }}}
- {name: HTTP_PORT, value: {{ .Values.ports.http | quote }}}
{{- with .Values.redis }}
{{- if .environmentPrefix }}
- {name: REDIS_ENVIRONMENT_PREFIX, value: {{ .environmentPrefix | quote }}}
- {name: REDIS_HOST, value: {{ .host | quote }}}
- {name: REDIS_PORT, value: {{ .port | quote }}}
- {name: REDIS_TLS, value: {{ ternary "1" "0" .tls | quote }}}
{{- if .username }}
- {name: REDIS_USERNAME, value: {{ .username | quote }}}
{{- end }}
{{- if .passwordSecret.name }}
- {name: REDIS_PASSWORD_FILE, value: /var/run/stigg-sidecar/redis/{{ .passwordSecret.key }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.config }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- define "stigg-sidecar.volumeMounts" -}}
- {name: stigg-api-key, mountPath: /var/run/stigg-sidecar/api-key, readOnly: true}
{{- if and .Values.redis.environmentPrefix .Values.redis.passwordSecret.name }}
- {name: stigg-redis-password, mountPath: /var/run/stigg-sidecar/redis, readOnly: true}
{{- end }}
{{- end }}

{{/* The volumes that the containers mount: for a pod of your own, too. */}}
{{- define "stigg-sidecar.volumes" -}}
- name: stigg-api-key
  secret: {secretName: {{ .Values.apiKey.existingSecret }}, defaultMode: 0440}
{{- if and .Values.redis.environmentPrefix .Values.redis.passwordSecret.name }}
- name: stigg-redis-password
  secret: {secretName: {{ .Values.redis.passwordSecret.name }}, defaultMode: 0440}
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: stigg-tls
  secret: {secretName: {{ .Values.tls.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* The sidecar: for a pod of your own, too. */}}
{{- define "stigg-sidecar.container" -}}
name: stigg-sidecar
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if eq .Values.mode "nativeSidecar" }}
restartPolicy: Always
{{- end }}
env:
  {{- include "stigg-sidecar.environment" . | nindent 2 }}
  - {name: PORT, value: {{ .Values.ports.grpc | quote }}}
  - {name: GRPC_PORT, value: {{ .Values.ports.plaintextGrpc | quote }}}
  {{- if .Values.cacheService.enabled }}
  - {name: WS_ENABLED, value: "0"}
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  - {name: TLS_CERT_FILE, value: /var/run/stigg-sidecar/tls/tls.crt}
  - {name: TLS_KEY_FILE, value: /var/run/stigg-sidecar/tls/tls.key}
  {{- if .Values.tls.clientCa }}
  - {name: TLS_CLIENT_CA_FILE, value: /var/run/stigg-sidecar/tls/{{ .Values.tls.clientCa }}}
  {{- end }}
  {{- end }}
ports:
  - {name: grpc, containerPort: {{ .Values.ports.grpc }}}
  {{- if .Values.ports.plaintextGrpc }}
  - {name: grpc-plain, containerPort: {{ .Values.ports.plaintextGrpc }}}
  {{- end }}
  - {name: stigg-http, containerPort: {{ .Values.ports.http }}}
startupProbe:
  httpGet: {path: /readyz, port: stigg-http}
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /livez, port: stigg-http}
  periodSeconds: 10
readinessProbe:
  httpGet: {path: /readyz, port: stigg-http}
  periodSeconds: 5
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "stigg-sidecar.securityContext" . | nindent 2 }}
volumeMounts:
  {{- include "stigg-sidecar.volumeMounts" . | nindent 2 }}
  {{- if .Values.tls.existingSecret }}
  - {name: stigg-tls, mountPath: /var/run/stigg-sidecar/tls, readOnly: true}
  {{- end }}
{{- end }}

{{/* What every pod of this chart has. */}}
{{- define "stigg-sidecar.podCommon" -}}
automountServiceAccountToken: false
# Kubernetes injects REDIS_PORT=tcp://… for a Service called redis.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
