{# How old a source table is: the snapshot of its newest proven load. Long ago where there is none. #}
{% macro proven_at(table) -%}
    SELECT COALESCE(MAX(snapshot_time), TIMESTAMP '1970-01-01')
    FROM `{{ target.project }}.{{ env_var('AUDIT_DATASET', 'isthmus_audit') }}.latest_loads`
    WHERE table_name = '{{ table }}' AND state IN ('loaded', 'truncated', 'unchanged')
{%- endmacro %}
