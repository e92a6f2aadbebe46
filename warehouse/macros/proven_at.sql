{# How old a source table's rows are: the snapshot of the newest load that load-export proved. Long ago where there is none. #}
{% macro proven_at(table) -%}
    SELECT COALESCE(MAX(snapshot_time), TIMESTAMP '1970-01-01')
    FROM `{{ target.project }}.{{ var('audit_dataset') }}.loads`
    WHERE table_name = '{{ table }}' AND state IN ('loaded', 'truncated')
{%- endmacro %}
