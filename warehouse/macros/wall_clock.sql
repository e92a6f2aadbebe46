{# RDS exports a DATETIME's wall clock as if it were UTC. This is the instant that it means. #}
{% macro wall_clock(column, zone=var('time_zone')) -%}
    TIMESTAMP(DATETIME({{ column }}), '{{ zone }}')
{%- endmacro %}
