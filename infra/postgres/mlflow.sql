-- Run once, when the data folder is made: MLflow's tables live apart from Trimtab's.
CREATE DATABASE mlflow OWNER trimtab;
